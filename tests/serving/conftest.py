"""A small predictor that the serving tests can hold, break and look into."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from luthier.errors import BundleError, DataError
from luthier.schema import LabelSet, Prediction, TextInput


class FakePredictor:
    """Says ``even`` or ``odd`` by the length of the text; can be held in the middle of a batch."""

    def __init__(self, *, pair: bool = False, name: str = "fake") -> None:
        self.name = name
        self.labels = LabelSet(("even", "odd"))
        self.pair = pair
        self.manifest = SimpleNamespace(pair=pair)
        self.batches: list[list[TextInput]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        self.batches.append(list(texts))
        self.entered.set()
        self.gate.wait(20)
        if "refuse me" in texts:
            raise DataError("one text is refused", "send another")
        if "break me" in texts:
            raise BundleError("a secret path of the server is damaged", "restore it")
        if "crash me" in texts:
            raise ZeroDivisionError("secret of the house")
        return [self.expect(text) for text in texts]

    def expect(self, text: TextInput) -> Prediction:
        chars = len(text) if isinstance(text, str) else sum(map(len, text))
        share = 0.75 if chars % 2 else 0.25
        label = self.labels.names[chars % 2]
        return Prediction((label,), self.labels.names, np.array([1 - share, share], np.float32), chars > 100)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


@pytest.fixture
def fake() -> FakePredictor:
    return FakePredictor()


@pytest.fixture(scope="session")
def make_fake() -> Callable[..., FakePredictor]:
    return FakePredictor
