"""A bundle-shaped directory without a model in it: enough for everything that reads no tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.bundle import Base, LengthPolicy, Manifest, Probe, TaskRecord, seal, staged, write_probes
from luthier.schema import LabelSet

NAMES = ("negative", "positive")

Fill = Callable[..., Manifest]


def fill(directory: Path, weights: bytes = b"weights") -> Manifest:
    """Write every file of a full bundle but the manifest, and return the manifest to seal with."""
    (directory / "report").mkdir()
    (directory / "report" / "index.html").write_text("<p>report</p>", encoding="utf-8")
    (directory / "model.safetensors").write_bytes(weights)
    (directory / "tokenizer.json").write_text("{}", encoding="utf-8")
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: i for i, name in enumerate(NAMES)},
              "problem_type": "single_label_classification"}
    (directory / "config.json").write_text(json.dumps(labels), encoding="utf-8")
    write_probes(directory, [Probe("good", None, (1, 2), NAMES, (-1.0, 1.0), "positive")])
    return Manifest(
        kind="full", task=TaskRecord("text-classification", {}), labels=LabelSet(NAMES), length=LengthPolicy(32),
        normalize="nfc", pair=False, base=Base("tiny", "package", "0" * 64), data_hash="1" * 64)


@pytest.fixture
def filler() -> Fill:
    """``fill``, for tests that stage by themselves."""
    return fill


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A sealed bundle."""
    target = tmp_path / "bundle"
    with staged(target) as staging:
        seal(staging, fill(staging))
    return target
