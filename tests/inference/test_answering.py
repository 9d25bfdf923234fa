"""Settings that are changed where a bundle is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import luthier
from luthier.cli._settings import task_settings
from luthier.errors import RecipeError
from luthier.inference import Opening, Predictor, open_fastest

TEXTS = ["good", "bad", "很好", "so so"]


def test_a_threshold_is_changed_and_nothing_else(several: Path) -> None:
    usual, _ = open_fastest(several, Opening("torch", threads=1))
    strict = luthier.load(several, backend="torch", threads=1, task={"threshold": 0.999999})
    with usual, strict:
        one, other = usual.predict(TEXTS), strict.predict(TEXTS)
        assert [answer.probabilities.tolist() for answer in one] == [answer.probabilities.tolist() for answer in other]
        assert any(answer.labels for answer in one)
        assert not any(answer.labels for answer in other)
        assert strict.manifest == usual.manifest


@pytest.mark.parametrize(("changes", "said"), [
    ({"pooling": "max"}, "'pooling' cannot be changed where a bundle of text-classification is used"),
    ({"threshhold": 0.5}, "did you mean 'threshold'"),
    ({"threshold": 1.5}, "task.threshold: Input should be less than 1"),
    ({"decoding": {"num_beams": 2}}, "is used; what can: threshold"),
])
def test_what_was_learned_from_and_what_cannot_be_is_refused(
        several: Path, changes: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Predictor, "open", None)  # it is told before anything is opened
    with pytest.raises(RecipeError) as told:
        open_fastest(several, Opening("torch", threads=1, task=changes))
    assert said in str(told.value)


def test_the_command_line_names_them_as_recipes_do() -> None:
    assert task_settings(None) == {}
    assert task_settings(["task.threshold=0.7", "task.decoding.num_beams=4", 'task.decoding.stop_strings=["."]']) == {
        "threshold": 0.7, "decoding": {"num_beams": 4, "stop_strings": ["."]}}
    for words in (["threshold=0.7"], ["train.num_train_epochs=1"], ["task=x"], ["task.threshold"]):
        with pytest.raises(RecipeError):
            task_settings(words)
