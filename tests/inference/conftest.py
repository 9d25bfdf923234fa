"""Whole bundles of random tiny models: opened and proved like tuned ones, made in a moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.inference.tiny import make_bundle
from luthier.schema import LabelSet

TEXTS = ["very good", "bad", "心情很好，风景很美。", "what a long and winding sentence this has become, my friend"]
THREE = LabelSet(("bad", "good", "so so"))


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full bundle with three labels."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "full", labels=THREE, texts=TEXTS)


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter bundle; its base lies beside it."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "adapter", labels=THREE, texts=TEXTS, kind="adapter")


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for pairs of texts."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "pairs", pair=True, texts=[("good", "fine"), ("a", "b")])


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that gives any number of labels."""
    labels = LabelSet(("a", "b", "c"), "multi_label_classification")
    return make_bundle(tmp_path_factory.mktemp("bundles") / "several", labels=labels, texts=TEXTS)


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a shared bundle, to tamper with it."""
    return lambda bundle: Path(shutil.copytree(bundle, tmp_path / bundle.name))
