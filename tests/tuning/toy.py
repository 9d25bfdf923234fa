"""A job that tunes a tiny model on sentences of a toy language; shared by the tests of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from luthier import plugins
from luthier.models import tiny
from luthier.models.building import Built
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles, weights_sha256
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import Example, LabelSet
from luthier.tasks import text_classification as task
from luthier.tuning import Encoded, Job

LABELS = LabelSet(("bad", "good"))
WORDS = {"good": ("fine", "lovely", "superb", "很好"), "bad": ("awful", "broken", "sad", "很差")}
FILL = ("the", "book", "was", "and", "shop", "today", "服务", "really", "a", "bit")


def sentences(rows: int, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    made = []
    for row in range(rows):
        label = LABELS.names[row % 2]
        words = [*random.choice(FILL, random.integers(2, 14)), *random.choice(WORDS[label], 2)]
        random.shuffle(words)
        made.append(Example(f"toy:{row}", " ".join(words), labels=(label,)))
    return made


@dataclass
class Toy:
    files: ModelFiles
    encoder: Encoder
    train: Encoded
    valid: Encoded

    def built(self, seed: int = 0, **options: Any) -> Built:
        return task.build(self.files, LABELS, seed=seed, **options)

    def job(self, directory: Path, *, method: str = "full", settings: dict[str, Any] | None = None,
            train: dict[str, Any] | None = None, validation: dict[str, Any] | None = None,
            built: dict[str, Any] | None = None, **changes: Any) -> Job:
        chosen = plugins.load("tuning.methods", method)
        model = chosen.prepare(self.built(**(built or {})), chosen.Settings(**(settings or {})), 0)
        values: dict[str, Any] = {
            "encoder": self.encoder, "task": task, "labels": LABELS, "train": self.train, "valid": self.valid,
            "train_settings": TrainSettings(**{"learning_rate": 2e-3, "precision": "fp32", "num_train_epochs": 3,
                                               "per_device_train_batch_size": 8, **(train or {})}),
            "validation": ValidationSettings(**(validation or {})),
            "seed": 7, "directory": directory, "fingerprint": "toy",
        }
        return Job(model=model, **{**values, **changes})


def make_toy(directory: Path, *, rows: int = 80, noise: float = 0.0, **shape: int) -> Toy:
    examples = sentences(rows + rows // 2)
    path = tiny.make(directory / "toy-base", texts=[*FILL, *sum(WORDS.values(), ())], **shape)
    encoder = Encoder.load(path)
    files = ModelFiles(str(path), "directory", path, "mit", None, weights_sha256(path))

    def encoded(part: list[Example]) -> Encoded:
        targets = task.targets(part, LABELS)
        wrong = np.random.default_rng(1).random(len(part)) < noise
        ragged = encoder.encode_ragged([example.text for example in part])
        return Encoded(ragged, np.where(wrong, 1 - targets, targets))

    return Toy(files, encoder, encoded(examples[:rows]), encoded(examples[rows:]))
