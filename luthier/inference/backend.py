"""What a backend is: something that turns a batch of token ids into logits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from luthier.bundle import Manifest
from luthier.inference.generation import Stop, Written
from luthier.recipe import Decoding
from luthier.schema import Batch, Float32, Int64

TextOf = Callable[[Sequence[int]], str]
"""From token ids to text, without special tokens."""


class Backend(Protocol):
    """Runs one opened model. Not meant for several threads at once."""

    @property
    def name(self) -> str:
        """The registered name, such as ``torch``."""
        ...

    @property
    def device(self) -> str:
        """Where it runs, such as ``cpu`` or ``cuda:0``."""
        ...

    @property
    def reason(self) -> str:
        """Why it runs there, in words for the log."""
        ...

    @property
    def max_tokens(self) -> int:
        """Padded tokens of the largest batch that is worth computing at once."""
        ...

    @property
    def tolerance(self) -> float:
        """How far a logit may be from the reference's, as a share of ``1 + |logit|``."""
        ...

    def run(self, batch: Batch) -> Float32:
        """Return logits before softmax or sigmoid, float32: of B texts, (B, C), or of each of their tokens, (B, T, C).

        All threads share the batch. What stands at padding means nothing.
        """
        ...

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order, as ``run`` gives them, and several at once if that is faster.

        Args:
            batches: read a few ahead, in the caller's thread.
        """
        ...

    def close(self) -> None:
        """Let go of the weights; further calls of ``run`` are not allowed."""
        ...


@runtime_checkable
class Folds(Protocol):
    """A backend that computes an adapter beside its base, to the bit as it was tuned, until it is told to fold it.

    Others fold it when they open a bundle.
    """

    def fold(self) -> None:
        """Add an adapter to the weights of its base: one product for three, at each layer and each token written.

        Logits change by about 1e-5.
        """
        ...


class Writes(Backend, Protocol):
    """A backend that can write texts. One that cannot lacks these, and its module says no ``GENERATES``."""

    @property
    def held_tokens(self) -> int:
        """Tokens whose keys and values may stand in memory at once, all rows and beams of a batch together."""
        ...

    def generate(self, batch: Batch, decoding: Decoding, *, text_of: TextOf, rows: Sequence[int],
                 ends: tuple[int, ...] = (), stop: Stop | None = None) -> list[Written]:
        """Write a text for each of B texts.

        Args:
            batch: B texts.
            decoding: how tokens are chosen.
            text_of: turns token ids into text, without special tokens.
            rows: B numbers that, with the seed, decide the draws of each row.
            ends: token ids that end what a causal language model writes; encoder-decoders know their own.
            stop: asked at each step for each row that goes on, by its place in the batch, from this thread; a row for
                which it says so ends as it stands.

        Raises:
            LimitError: a text leaves no room for what is to be written; ``row`` is its place in the batch.
        """
        ...

    def target_logprobs(self, batch: Batch, targets: Int64) -> Float32:
        """Return how likely each token of B given texts is, after the right ones before it.

        Args:
            batch: the B sources.
            targets: (B, T) int64, below 0 at padding.

        Returns:
            (B, T) float32, natural logarithms; what stands at padding means nothing.
        """
        ...


class BackendModule(Protocol):
    """What a file in ``inference/backends/`` offers."""

    NAME: str
    PACKAGES: tuple[str, ...]
    """Modules it needs installed."""
    TOLERANCE: float
    """The largest ``Backend.tolerance`` of what it opens."""

    def load(
        self, directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool
    ) -> Backend:
        """Open the bundle's weights.

        Args:
            directory: the bundle.
            manifest: its manifest, already read.
            threads: CPU threads; the library's own choice when ``None``.
            device: where to run; chosen, with a reason, when ``None``.
            offline: never ask a model hub for an adapter's base.

        Raises:
            BundleError: the weights cannot be opened, or an adapter's base is another model now.
            ModelError: an adapter's base cannot be found, or the device is not there.
        """
        ...
