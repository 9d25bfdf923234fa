"""What a task's file may offer beside what every task does; who reads one of these asks first whether it is there.

What every task offers is listed in CONTRIBUTING.md, and `tests/conformance/test_tasks.py` asks each for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from luthier.schema import Bool, Example, Int64, LabelSet, TextInput

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Encoder, Ragged
    from luthier.tasks._tokens import TokenTargets


class SomeTask(Protocol):
    """The members that only some tasks have. ``settings`` are the task's own."""

    GENERATES: bool
    """Whether its answers are written token by token; see decision 0011."""
    FILLS: bool
    """Whether its answers stand at masks, which a backend is asked for place by place."""
    TOGETHER: bool
    """Whether its loss compares all sequences of a batch, so that it cannot be computed in parts."""
    POOLS: bool
    """Whether the windows of a text have one answer together, so that their outputs are pooled before the loss."""
    NEEDS_WINDOWS: bool
    """Whether a text must not be cut: what is asked about may stand anywhere."""
    ANSWERING: tuple[str, ...]
    """Settings that only decide how it answers, and may be changed where a bundle is used."""
    UNSMOOTHED: str
    """Why ``train.label_smoothing_factor`` is refused, in words."""
    GROUPED: bool
    """Whether a row has several sequences whose loss is one, so that batches are made of whole rows."""
    SEARCHED: int
    """Passages that a search finds for each query to learn from; see ``learned``."""
    PAIR_ANSWER: type[Any]
    """The class of the answers to pairs, where ``ANSWER`` is that to texts and a bundle takes both."""

    def settle(self, settings: Any, examples: Sequence[Example], model: str, /) -> tuple[Any, list[str]]:
        """Return the settings with what the training rows, or the model's name, decide, and notes that say it."""

    def settle_model(self, settings: Any, examples: Sequence[Example], known: Any, /) -> tuple[Any, list[str]]:
        """Do as ``settle`` does, once the model is chosen; ``known`` is a ``tasks._prompts.Known``."""

    def pace(self, settings: Any, /) -> tuple[Mapping[str, float], int]:
        """Return what ``LEARNING_RATES`` and ``LEAST_STEPS`` are for the model at hand."""

    def taught(self, examples: Sequence[Example], settings: Any, /) -> list[Example]:
        """Return the rows that a model learns from, where one example is learned as several."""

    def learned(self, rows: Sequence[Example], wrong: Any, settings: Any, seed: int, /) -> list[Example]:
        """Return what training rows are learned as, with some of the wrong passages of ``SEARCHED`` that are found."""

    def validated(self, rows: Sequence[Example], wrong: Any, settings: Any, /) -> list[Example]:
        """Return what validation rows are scored as, with wrong passages; offered with ``learned``."""

    def learned_rows(self, examples: Sequence[Example], max_length: int | None, settings: Any, /) -> int:
        """Return about how many rows are learned from, where these are not the examples."""

    def hidden(self, ragged: Ragged, encoder: Any, /, *, seed: int | None) -> TokenTargets:
        """Return the targets of rows with hidden tokens, other ones in each epoch where a seed is given."""

    def follow_up(self, answers: Sequence[Any], texts: Sequence[TextInput], settings: Any, /) -> list[TextInput]:
        """Return the rows that the model is asked about after its first answers."""

    def combined(self, answers: Sequence[Any], texts: Sequence[TextInput], replies: Sequence[Any], settings: Any,
                 /) -> list[Any]:
        """Return the answers to texts with what the replies to ``follow_up`` say; offered with it."""

    def label_set(self, labels: LabelSet, settings: Any, /) -> LabelSet:
        """Return the label set as the settings want it."""

    def best_metric(self, labels: LabelSet, /) -> str:
        """Return the metric that the best step is chosen by, where ``BEST_METRIC`` does not fit all labels."""

    def metrics_of(self, labels: LabelSet, /) -> tuple[str, ...]:
        """Return those of ``METRICS`` that there are for such labels."""

    def encoder(self, directory: Path, settings: Any, *, max_length: int | None, normalize: str,
                stored: bool) -> Encoder:
        """Open a tokenizer of the task's own kind, from a model's directory, or, where ``stored``, from a bundle's."""

    def reach(self, settings: Any, /) -> Any:
        """Return how much of a text a window holds, a ``models._frames.Reach``; ``None`` where that is not bounded."""

    def rows_of(self, examples: Sequence[Example], settings: Any, /) -> list[TextInput]:
        """Return what ``sequences`` is given for examples that are learned from."""

    def sequences(self, rows: Sequence[TextInput], settings: Any, /) -> tuple[list[str], Int64]:
        """Return the S texts of N rows that are each encoded by itself, and which row each is of, (S,) int64."""

    def remarks(self, examples: Sequence[Example], ragged: Ragged, targets: Any, labels: LabelSet, settings: Any,
                /) -> list[str]:
        """Say what cannot be learned of the training rows as they are encoded."""

    def condensed(self, logits: torch.Tensor, targets: torch.Tensor, /) -> torch.Tensor:
        """Return what ``metrics`` needs of logits (B, T, V), which would fill the memory: (B, T, few) float32.

        A task that has it gives each token an output for every word, and its batches are cut accordingly.
        """

    def firm(self, logits: Any, ragged: Ragged, texts: Sequence[TextInput], labels: LabelSet, settings: Any,
             step: float, /) -> Bool | list[bool]:
        """Return which of N answers stay the same when outputs move by ``step``, (N,); for probes."""

    def companions(self, settings: Any, width: int, max_length: int, /) -> Mapping[str, Any]:
        """Return files that other libraries need beside the model: name -> what it holds, as JSON."""
