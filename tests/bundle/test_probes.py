from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.bundle import Probe, compare, read_probes, write_probes
from luthier.errors import BundleError

PROBE = Probe("very good", None, (2, 5, 6, 3), ("bad", "good"), (-1.5, 2.0), "good")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
probes = st.lists(
    st.lists(texts, min_size=2, max_size=4, unique=True).flatmap(lambda names: st.builds(
        Probe, texts, st.none() | texts, st.lists(st.integers(0, 2**31)).map(tuple), st.just(tuple(names)),
        st.tuples(*[st.floats(allow_nan=False, width=32)] * len(names)), st.none() | st.sampled_from(names))),
    min_size=1, max_size=4)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probes")
    (path / "tokenizer.json").write_text("{}")
    return path


@settings(max_examples=50)
@given(written=probes)
def test_probes_read_back_to_the_bit(directory, written):
    write_probes(directory, written)
    assert read_probes(directory) == written


def test_line_separators_in_a_text_do_not_split_it(directory):
    write_probes(directory, [replace(PROBE, text="a\u2028b\x85c\nd\re")])
    assert read_probes(directory)[0].text == "a\u2028b\x85c\nd\re"


def test_the_same_answer_has_no_fault():
    assert compare(PROBE, PROBE) == []
    assert compare(PROBE, replace(PROBE, logits=(-1.5001, 2.0002))) == []  # what another processor may give


@pytest.mark.parametrize(("changes", "said"), [
    ({"ids": (2, 5, 7, 3)}, "token ids differ (at 2 expected 6, got 7): the tokenizer was changed"),
    ({"ids": (2, 5, 6)}, "expected 4, got 3"),
    ({"names": ("bad", "glad")}, "label names differ (at 1 expected 'good', got 'glad')"),
    ({"names": ("good", "bad")}, "label names differ"),
    ({"logits": (-1.5, 2.1)}, "1 of 2 logits differ, most for 'good': expected 2.0000, got 2.1000"),
    ({"logits": (float("nan"), 2.0)}, "got nan"),
    ({"logits": (1.0,)}, "expected 2 logits, got 1"),
    ({"label": "bad"}, "expected label 'good', got 'bad'"),
])
def test_each_difference_is_told(changes, said):
    assert said in "; ".join(compare(PROBE, replace(PROBE, **changes)))


def test_a_close_call_may_go_either_way():
    assert compare(replace(PROBE, label=None), PROBE) == []


def test_long_texts_are_cut_in_messages():
    assert len(replace(PROBE, text="很" * 1000).shown) < 50


@pytest.mark.parametrize(("content", "said"), [
    ("", "holds no probe"),
    ('{"format": 1, "tokenizer_sha256": "x"}\n', "holds no probe"),
    ('{"format": 1}\n{"text": "x"}\n', "is not a probe"),
    ('{"format": 1}\n[]\n', "is not a probe"),
    ('{"format": 1}\n{"text', "not readable JSON lines"),
])
def test_files_that_hold_no_probes_are_refused(tmp_path, content, said):
    (tmp_path / "probes.jsonl").write_text(content)
    with pytest.raises(BundleError, match=said):
        read_probes(tmp_path)


def test_missing_probes_are_refused(tmp_path):
    with pytest.raises(BundleError, match="cannot read"):
        read_probes(tmp_path)
