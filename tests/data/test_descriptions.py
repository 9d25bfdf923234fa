"""Labels that the caller named beforehand: kept with what they mean, and held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.data.descriptions import described
from luthier.errors import DataError
from luthier.schema import LabelSet

LABELS = LabelSet(("1", "refund"))


def test_descriptions_stand_in_the_order_of_the_labels() -> None:
    labels, notes = described(LABELS, {"refund": "asks for money back", "1": ""})
    assert labels.descriptions == ("", "asks for money back")
    assert not notes
    assert described(LABELS, {}) == (LABELS, [])


def test_a_label_that_is_not_named_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="1 label\\(s\\) that data.labels does not name, such as 'refund'") as error:
        described(LABELS, {"refunds": "…", "1": "…"})
    assert "'refunds'" in str(error.value)


def test_a_label_without_rows_is_told() -> None:
    labels, (note,) = described(LABELS, {"refund": "a", "1": "b", "praise": "c"})
    assert labels.names == LABELS.names
    assert "1 label(s) that no training row has" in note
    assert "'praise'" in note


def test_types_of_entities_are_named_with_the_relations() -> None:
    joint = LabelSet(("works_for",), "joint_extraction", types=("firm", "person"))
    labels, notes = described(joint, {"works_for": "is paid by", "firm": "", "person": ""})
    assert labels.descriptions == ("is paid by",)
    assert not notes
    assert "not what types of entities do: firm" in described(joint, {"works_for": "", "firm": "a", "person": ""})[1][0]
    with pytest.raises(DataError, match="such as 'person'") as error:
        described(joint, {"works_for": "", "firm": "", "persn": ""})
    assert "'persn'" in str(error.value)


@pytest.mark.slow
def test_the_bundle_keeps_what_labels_mean(tiny_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    import luthier

    meant = {"positive": "the writer is | pleased", "negative": "the writer is not"}
    run = luthier.train(tiny_csv, model=str(tiny_model), out=tmp_path / "out", progress=False, data={"labels": meant},
                        prepare={"deduplicate": False}, train={"num_train_epochs": 1},
                        evaluation={"bootstrap": 100, "baseline": False, "untuned": False})
    labels = luthier.load(run.path).labels
    assert dict(zip(labels.names, labels.descriptions, strict=True)) == meant
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "the writer is \\| pleased" in card
    assert "| id | label | meaning |" in card
    recipe = (run.path / "recipe.yaml").read_text(encoding="utf-8")
    assert "the writer is not" in recipe
