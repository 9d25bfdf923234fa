"""The predictor: texts in, predictions out. Evaluation, the command line and the server all call this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luthier.bundle import Manifest
from luthier.errors import DataError, ModelError
from luthier.inference.backend import Backend
from luthier.inference.batching import plan
from luthier.inference.following import followed
from luthier.inference.inputs import checked, encoded
from luthier.inference.modelling import check_masks, filled, fills, is_of_documents, likelihoods
from luthier.inference.streaming import WINDOW, OnBad, stream
from luthier.inference.writing import target_logprobs, write, writes
from luthier.models.outputs import in_order
from luthier.schema import Bool, Float32, LabelSet, Logits, TextInput
from luthier.tasks import cut, pooled, pooling, pools

if TYPE_CHECKING:
    from luthier.inference.generation import Stop
    from luthier.models.blocks import BlockEncoder
    from luthier.models.encoding import Encoder, Ragged


@dataclass(eq=False)
class Predictor:
    """An encoder, a backend and a task's decoding, put together. ``Predictor.open`` opens a bundle."""

    backend: Backend
    encoder: Encoder
    labels: LabelSet
    task: ModuleType
    """A file of ``luthier/tasks/``: its ``decode`` turns logits into predictions."""
    task_settings: Any
    """The task's own ``Settings``."""
    pair: bool | None
    """Whether one row is two texts; ``None`` where it may be one or two."""
    name: str
    """What the server and the logs call it."""
    manifest: Manifest | None = None
    """The opened bundle's manifest; ``None`` for a model in memory."""

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        backend: str = "torch",
        check: bool = True,
        device: str | None = None,
        threads: int | None = None,
        offline: bool = False,
        folded: bool = False,
    ) -> Predictor:
        """Open a bundle, and prove that it answers as on the day it was written.

        Args:
            path: the bundle's directory.
            backend: a name of ``inference/backends/``.
            check: compare file hashes and the tokenizer, and replay the probes; labels are always compared.
            device: where to run; a CUDA device if there is one, when left out.
            threads: CPU threads.
            offline: never ask a model hub for an adapter's base.
            folded: add an adapter to its base's weights, where the backend would compute it beside them: it is faster,
                and equal to about 1e-5 instead of to the bit.

        Raises:
            BundleError: missing, half-written, changed, or not what its manifest says.
            ProbeError: it answers its probes differently; the message says which, what was expected and what came.
            ModelError: an adapter's base model cannot be found, or the device is not there.
        """
        from luthier.inference.opening import open_bundle

        return open_bundle(Path(path), check=check, backend=backend, device=device, threads=threads, offline=offline,
                           folded=folded)

    def predict(self, texts: Sequence[TextInput], *, stop: Stop | None = None) -> list[Any]:
        """Return one answer a row, in order: a ``Prediction`` of a classifier, ``Entities`` where spans are labelled,
        ``Extraction`` where relations between them are found, too, ``FoundAnswer`` where questions are answered,
        ``Estimate`` where numbers are learned, ``Generated`` where texts are written; where texts are compared, the
        ``Embedding`` of a text and the ``Similarity`` of a pair; where passages are ordered, the ``Relevance`` of a
        pair and ``Reranked`` of a query with several;
        ``Filled`` where masks are filled in; and of language models the ``Likelihood`` of each, where rows are
        ``Document``s.

        Args:
            texts: N texts, or N pairs of texts for a pair bundle; where texts are compared, either, and a ``Passage``
                is embedded as one; N ``Marked`` texts (or their JSON form) where relations are told; where
                conversations are answered also lists of messages, or objects that hold them under ``messages``; where
                passages are ordered pairs of a query and a passage, or ``Candidates`` (or their JSON form).
            stop: where texts are written, asked before each token of each row, by its number: whether to end that row
                as it stands, with ``finish_reason`` "length"; where relations are found, before its pairs are read,
                whether to leave it with its entities alone. Asked in the caller's thread, so it must be quick.

        Raises:
            DataError: something else than a text came, or one that cannot be encoded; the message names the row.
        """
        rows = self.checked(texts)
        ragged = self.encode(rows)
        return self.answers(ragged, rows, stop=stop)

    def logits(self, texts: Sequence[TextInput]) -> tuple[Logits, Bool]:
        """Return the logits, (N, C) float32 or an array (T, C) for each window, and which lost their end, in order.

        Those of a text in several windows are pooled, as its answer is made of them. Of the S texts of rows that are
        compared, their vectors, (S, D).

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        ragged = self.encode(self.checked(texts))
        logits = self.compute(ragged)
        if isinstance(logits, list) or not pools(self.task):
            return logits, ragged.truncated
        return pooled(logits, ragged, pooling(self.task_settings)), cut(ragged)

    def encode(self, texts: Sequence[TextInput], first: int = 0) -> Ragged:
        """Return the token ids of N texts, as the task needs them; ``first`` is the number of the first in messages.

        Raises:
            DataError: a text cannot be encoded; the message names the row.
        """
        try:
            return encoded(self.encoder, self.task, self.task_settings, texts)
        except DataError as error:
            raise (error if error.row is None else error.at(first + error.row)) from None

    def compute(self, ragged: Ragged) -> Logits:
        """Return the logits of texts that are encoded already, (N, C) float32 or an array (T, C) for each window.

        Raises:
            ModelError: the bundle writes texts, or tells hidden tokens.
        """
        if fills(self.task):
            raise ModelError(f"{self.name} tells hidden tokens, and has no logits of a text as a whole", "use predict")
        if writes(self.task):
            raise ModelError(f"{self.name} writes texts, and has no logits of a text as a whole", "use predict")
        if not len(ragged):
            return [] if self.labels.per_token else np.empty((0, len(self.labels)), np.float32)
        batches = plan(ragged.lengths, max_tokens=self.backend.max_tokens)
        answers = self.backend.run_all(self.encoder.collate(ragged, rows) for rows in batches)
        return in_order(batches, answers, ragged.lengths)

    def answers(self, ragged: Ragged, texts: Sequence[TextInput], *, stop: Stop | None = None) -> list[Any]:
        """Return one answer for each of N texts that are encoded already; ``stop`` is that of ``predict``."""
        if is_of_documents(ragged, texts):
            return list(likelihoods(self.backend, cast("BlockEncoder", self.encoder), ragged))
        if fills(self.task):
            told = filled(self.backend, cast("BlockEncoder", self.encoder), ragged, texts, self.task_settings.top_k)
            given: list[Any] = self.task.decode(told, ragged, texts, self.labels, self.task_settings)
            return given
        if not writes(self.task):
            return followed(self, self.decode(self.compute(ragged), ragged, texts), texts, stop)
        written = write(self.backend, self.encoder, ragged, self.task_settings.decoding, stop)
        found: list[Any] = self.task.decode(written, ragged, texts, self.labels, self.task_settings)
        return found

    def weigh(self, texts: Sequence[TextInput], answers: Sequence[str]) -> list[Float32]:
        """Return how likely each token of N given answers is, after the right ones before it: natural logarithms, (T,).

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        return target_logprobs(self.backend, self.encoder, self.encode(self.checked(texts)), answers)

    def decode(self, logits: Logits, ragged: Ragged, texts: Sequence[TextInput]) -> list[Any]:
        """Turn logits into an answer for each of N rows: the first one, where a task asks again after it.

        Args:
            logits: what ``compute`` gave for them: (W, C) float32, or W arrays (T, C) where each token has some. W is
                N, or more where long texts were read in windows.
            ragged: their W rows of token ids.
            texts: the N rows.
        """
        answers: list[Any] = self.task.decode(logits, ragged, texts, self.labels, self.task_settings)
        return answers

    def stream(self, rows: Iterable[TextInput], *, window: int = WINDOW, on_bad: OnBad | None = None) -> Iterator[Any]:
        """Yield one answer a row, in order, while holding two windows of rows and no more.

        The next window is encoded in a second thread while this one is computed. ``rows`` is only ever read in the
        caller's thread. Closing the iterator early stops both.

        Args:
            rows: any number of texts or pairs, read as they are needed.
            window: rows sorted by length together; more is a little faster and takes more memory.
            on_bad: told of each row that cannot be used, before the answers of the window that it stands in; such a row
                has no answer. Without it the first one ends the stream.

        Raises:
            DataError: something else than a text came, or one that cannot be encoded; the message names the row.
        """
        return stream(self, rows, window=window, on_bad=on_bad)

    def checked(self, rows: Sequence[Any], first: int = 0) -> Sequence[TextInput]:
        """Return the rows when each is what the bundle reads; ``first`` is the number of the first in messages.

        Raises:
            DataError: a row is something else; the message names it.
        """
        found = checked(rows, pair=self.pair, relations=self.labels.of_relations,
                        conversations=self.labels.of_dialogues, candidates=self.labels.of_candidates, first=first)
        if self.labels.of_masks:
            check_masks(found, first)
        return found

    def close(self) -> None:
        """Let go of the weights."""
        self.backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
