"""Toy paraphrases in two languages, and a job that tunes a tiny model to find them; shared by several tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from luthier import plugins
from luthier.inference.inputs import encoded
from luthier.models import tiny
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles, weights_sha256
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import Example, LabelSet, Passages
from luthier.tasks import similarity as task
from luthier.tuning import Encoded, Job

RETRIEVAL = LabelSet(("relevant",), "retrieval")
SCORED = LabelSet(("score",), "similarity")
WORDS = (("buy", "purchase"), ("car", "automobile"), ("big", "large"), ("start", "begin"), ("kid", "child"),
         ("quick", "fast"), ("shop", "store"), ("dad", "father"), ("买", "购"), ("车", "汽"), ("大", "巨"),
         ("快", "速"))
"""Words and what means the same: nothing that two texts share tells that they belong together."""


def paraphrases(rows: int, seed: int = 0, *, negatives: int = 0) -> list[Example]:
    """Make queries of three words, each with the same words said in another way."""
    random, made = np.random.default_rng(seed), []
    for row in range(rows):
        chosen = random.permutation(len(WORDS))[: 3 + 3 * negatives]
        said = [" ".join(WORDS[word][1] for word in chosen[start : start + 3]) for start in range(0, len(chosen), 3)]
        query = " ".join(WORDS[word][0] for word in chosen[:3])
        made.append(Example(f"toy:{row}", query, passages=Passages((said[0],), tuple(said[1:]))))
    return made


def scored(rows: int, seed: int = 0) -> list[Example]:
    """Make pairs whose score is how many of four meanings they share."""
    random, made = np.random.default_rng(seed), []
    for row in range(rows):
        one, other = (random.permutation(len(WORDS))[:4] for _ in range(2))
        shared = int(random.integers(0, 5))
        other[:shared] = one[:shared]
        made.append(Example(f"toy:{row}", " ".join(WORDS[word][0] for word in one),
                            " ".join(WORDS[word][1] for word in other), value=float(len({*one} & {*other}))))
    return made


def base(directory: Path, **shape: int) -> ModelFiles:
    path = tiny.make(directory / "pairs-base", texts=[word for pair in WORDS for word in pair], **shape)
    return ModelFiles(str(path), "directory", path, "mit", None, weights_sha256(path))


def split(encoder: Encoder, rows: list[Example], labels: LabelSet, settings: task.Settings) -> Encoded:
    ragged = encoded(encoder, task, settings, task.rows_of(rows, settings))
    return Encoded(ragged, task.targets(rows, labels, ragged))


def job(files: ModelFiles, directory: Path, *, rows: int = 60, labels: LabelSet = RETRIEVAL, method: str = "full",
        train: dict[str, Any] | None = None, validation: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None, dropout: float = 0.1, negatives: int = 0, **changes: Any) -> Job:
    chosen, own = plugins.load("tuning.methods", method), task.Settings(**(settings or {}))
    encoder = Encoder.load(files.path)
    built = task.build(files, labels, dropout=dropout, attention_dropout=0.0)
    parts = [scored(rows, seed) if labels is SCORED else paraphrases(rows, seed, negatives=negatives)
             for seed in (0, 1)]
    values: dict[str, Any] = {
        "encoder": encoder, "task": task, "labels": labels, "task_settings": own,
        "train": split(encoder, parts[0], labels, own), "valid": split(encoder, parts[1], labels, own),
        "train_settings": TrainSettings(**{"learning_rate": 2e-3, "precision": "fp32", "num_train_epochs": 2,
                                           "per_device_train_batch_size": 8, **(train or {})}),
        "validation": ValidationSettings(metric_for_best_model=task.best_metric(labels), **(validation or {})),
        "seed": 7, "directory": directory, "fingerprint": "pairs",
    }
    return Job(model=chosen.prepare(built, chosen.Settings(), 0), **{**values, **changes})
