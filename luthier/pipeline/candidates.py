"""What is learned of queries and their passages: with wrong ones that a search finds, and others at random."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

from luthier.evaluation import first_stage
from luthier.pipeline.loading import Loaded
from luthier.recipe import spawn
from luthier.schema import Example
from luthier.tasks import Wrong


def with_candidates(loaded: Loaded, task: ModuleType, settings: Any) -> tuple[Loaded, list[str]]:
    """Return the data with the train and valid rows as the task learns them, and what there is to say of that.

    Tasks that take rows as they are get them as they are. Each split has its own passages to search.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    if not hasattr(task, "learned"):
        return loaded, []
    dataset = loaded.dataset
    train = task.learned(dataset.train, _wrong(dataset.train, task.SEARCHED), settings,
                         spawn(loaded.recipe.seed, "negatives"))
    valid = task.validated(dataset.valid, _wrong(dataset.valid, task.SEARCHED), settings)
    return replace(loaded, dataset=replace(dataset, train=tuple(train), valid=tuple(valid))), _told(train, valid)


def _wrong(rows: tuple[Example, ...], depth: int) -> Wrong:
    return Wrong(lambda: first_stage.candidates(rows, depth), first_stage.corpus(rows))


def _told(train: list[Example], valid: list[Example]) -> list[str]:
    pairs, wrong, listed = (sum(len(row.passages.negative) + extra * len(row.passages.positive)
                                for row in rows if row.passages)
                            for rows, extra in ((train, 1), (train, 0), (valid, 1)))
    return [f"pairs: {pairs:,} to learn from, {len(train):,} right and {wrong:,} wrong (task.negatives); {listed:,} to "
            f"validate on (task.validation_candidates)"]
