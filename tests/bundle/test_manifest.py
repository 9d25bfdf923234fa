from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from luthier.bundle import FORMAT, Base, FileRecord, LengthPolicy, Licence, Manifest, TaskRecord, installed_versions
from luthier.schema import LabelSet

text = st.text(max_size=12)


def manifest(**changes: object) -> Manifest:
    given = {
        "kind": "full", "task": TaskRecord("text-classification", {"threshold": 0.5}), "labels": LabelSet(("a", "b")),
        "length": LengthPolicy(32), "normalize": "nfc", "pair": False, "base": Base("tiny", "package", "0" * 64),
        "data_hash": "1" * 64,
    }
    return Manifest(**{**given, **changes})  # type: ignore[arg-type]


@settings(max_examples=40)
@given(names=st.lists(text, min_size=1, max_size=5, unique=True), kind=st.sampled_from(["full", "adapter"]),
       recipe=st.dictionaries(text, st.none() | st.integers() | text | st.lists(text, max_size=2), max_size=3),
       files=st.dictionaries(text, st.builds(FileRecord, text, st.integers(0, 10**12)), max_size=3),
       licence=st.none() | text, pair=st.booleans())
def test_what_is_written_reads_back_equal(names, kind, recipe, files, licence, pair):
    original = manifest(labels=LabelSet(tuple(names), "multi_label_classification"), kind=kind, recipe=recipe,
                        files=files, licences=(Licence("base model", "x", licence),), pair=pair)
    assert Manifest.from_json(original.to_json()) == original


def test_the_json_is_laid_out_for_readers():
    values = json.loads(manifest(labels=LabelSet(("负面", "正面"))).to_json())
    assert values["labels"] == {"names": ["负面", "正面"], "problem_type": "single_label_classification"}
    assert values["format"] == FORMAT
    assert values["length"] == {"max_length": 32, "policy": "truncate", "overlap": None}
    assert "负面" in manifest(labels=LabelSet(("负面", "正面"))).to_json()  # readable, not \u escapes


def test_a_wrong_type_is_refused():
    values = json.loads(manifest().to_json())
    values["kind"] = "half"
    with pytest.raises(ValidationError, match="full"):
        Manifest.from_json(json.dumps(values))


def test_each_kind_names_its_files():
    assert "model.safetensors" in manifest().essential
    assert {"adapter_model.safetensors", "adapter_config.json"} <= set(manifest(kind="adapter").essential)


def test_versions_tell_the_machine_and_what_is_installed():
    assert {"python", "machine", "numpy"} <= set(installed_versions())
