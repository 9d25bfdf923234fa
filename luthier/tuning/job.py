"""What goes into the loop and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from luthier.models.hardware import memory
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import Decision, Int64, LabelSet
from luthier.tasks import SpanTargets, TokenTargets
from luthier.tuning.grouping import groups

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Encoder, Ragged


SHARE = 64
"""Part of the memory that the logits of one batch may fill, in float32. Some five copies of them stand there at once,
so that they take less than a tenth, beside the model and its optimiser."""

MOST_ON_CPU = 1 << 28
"""Bytes of them on a CPU, 256 MiB, where larger batches are no faster."""

Targets = npt.NDArray[Any] | TokenTargets | SpanTargets


@dataclass(frozen=True, slots=True)
class Encoded:
    """One split as the loop sees it: token ids at their own lengths, and targets."""

    ragged: Ragged
    targets: Targets
    """(N,) int64 class numbers for one label, (N, C) float32 of 0 and 1 for several, (N,) float32 for numbers, of texts
    however many windows they have; or those of tokens or of spans; or what is known of each sequence where sequences
    are compared."""

    def __len__(self) -> int:
        """Return the rows of token ids: N, or of windows W, or of sequences S."""
        return len(self.ragged)

    @property
    def writes(self) -> bool:
        """Whether the targets are texts that are written for the rows."""
        return isinstance(self.targets, TokenTargets) and self.targets.written

    @property
    def lengths(self) -> Int64:
        """Return (N,) int64, the tokens of each row that a model computes: its own, and those written for it."""
        of_rows = self.ragged.lengths
        return of_rows + self.targets.lengths if isinstance(self.targets, TokenTargets) and self.writes else of_rows


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that one tuning run needs; nothing is looked up elsewhere."""

    model: torch.nn.Module
    """As the method prepared it: what has ``requires_grad`` trains."""
    encoder: Encoder
    task: ModuleType
    """A file of ``luthier.tasks``."""
    labels: LabelSet
    train: Encoded
    valid: Encoded
    train_settings: TrainSettings
    """With its learning rate settled."""
    validation: ValidationSettings
    seed: int
    directory: Path
    """For checkpoints; what stands in it from another run goes unless ``resume``."""
    fingerprint: str
    """Hash of recipe and data: a checkpoint of another run is refused."""
    head: tuple[str, ...] = ()
    """Names of the modules without pretrained weights."""
    task_settings: Any = None
    """The task's own, for a loss that takes some."""
    resume: bool = False
    """Go on from the newest whole checkpoint, or start anew when there is none."""

    @property
    def batch_tokens(self) -> int:
        """Return the most padded tokens that are computed at once: as asked, or fewer where each has an output for
        every word, and these fill the memory."""
        asked = self.train_settings.max_tokens_per_batch
        return asked if self.train.writes else min(asked, self.wide_tokens or asked)

    @property
    def wide_tokens(self) -> int | None:
        """Return the most padded tokens with an output for every word that are computed at once; ``None`` where tokens
        have none.

        By the memory that the machine has, and not by what is free: a run that goes on must cut batches as it began.
        """
        if not hasattr(self.task, "condensed"):
            return None
        words: int = self.model.config.vocab_size  # type: ignore[union-attr, assignment]  # nn.Module types it so
        share: float = self.task_settings.mlm_probability if self.labels.of_masks else 1.0  # hidden ones alone have one
        return max(1, int(logits_bytes(self._device) / (4 * words * share)))

    def sizes(self, split: Encoded) -> Int64:
        """Return what each row takes of ``batch_tokens``, (N,) int64: the tokens that are computed.

        Where texts are written, outputs stand at their tokens alone; these count as more where they fill the memory
        before the states of all do, so that one limit holds both.
        """
        wide, asked = self.wide_tokens, self.batch_tokens
        if wide is None or not isinstance(split.targets, TokenTargets) or not split.writes:
            return split.lengths
        return np.maximum(split.lengths, -(-split.targets.lengths * asked // wide))

    def decided_width(self) -> dict[str, Decision]:
        """Return what was decided about batches whose outputs would fill the memory; nothing where none would."""
        wide, asked = self.wide_tokens, self.train_settings.max_tokens_per_batch
        if wide is None or wide >= asked:
            return {}
        what = "written token" if self.train.writes else "token"
        reason = (f"each {what} has an output for every word, and {wide:,} fill {logits_bytes(self._device) >> 20:,} "
                  f"MiB, a part of the {memory(self._device) / 2**30:.0f} GiB here that leaves room for the rest")
        return {"batch_tokens": Decision(f"{wide} {what}s with outputs", reason)}

    @property
    def _device(self) -> str:
        return str(next(self.model.parameters()).device)

    @property
    def options(self) -> dict[str, Any]:
        """Return what the loss of the task takes besides: its settings, where rows have several texts."""
        return {"settings": self.task_settings} if groups(self.task) else {}

    @property
    def metric(self) -> str:
        """Return the validation metric by which the best step is chosen."""
        chosen: str = self.validation.metric_for_best_model or self.task.BEST_METRIC
        return chosen


def logits_bytes(device: str) -> int:
    """Return the bytes that the logits of one batch may fill, in float32."""
    share = memory(device) // SHARE
    return share if device.startswith("cuda") else min(share, MOST_ON_CPU)


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a run went. The model given in the job holds the best weights."""

    steps: int
    """Optimiser steps taken."""
    best_step: int
    """Step whose weights the model holds."""
    best_metric: float
    """Validation metric at that step."""
    history: list[dict[str, Any]] = field(repr=False)
    """One entry a validation: step, epoch, train_loss, metrics, best."""
    stopped_early: bool
    seconds: float
    """Time spent in the loop, earlier attempts of a resumed run included."""
    decisions: Mapping[str, Decision]
    """What was decided for the user, with reasons."""
    warnings: tuple[str, ...] = ()
    """Why the result may be worth nothing; empty when nothing is amiss."""
