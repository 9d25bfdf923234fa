"""Rows with marked spans: cleaned without touching the text, split by the kinds of their entities."""

import json
from dataclasses import replace

import pytest

from luthier.data import prepare
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example, Span

PLAIN = PrepareSettings()


def row(number, text, *spans, name="f"):
    return Example(f"{name}:{number}", text, spans=tuple(Span(*span) for span in spans))


def many(count, name="f", word="Anna"):
    kinds = [((0, 4, "PER"),), ((0, 4, "PER"), (5, 9, "LOC")), ()]
    return [row(n, f"{word} Oslo {n}", *kinds[n % 3], name=name) for n in range(count)]


def prepared(train, valid=None, test=None, settings=PLAIN):
    return prepare(train, valid, test, settings, 0, problem_type="token_classification")


def test_rows_are_split_by_the_kinds_of_their_entities():
    dataset, report = prepared(many(90))
    assert dataset.labels.names == ("LOC", "PER")
    assert dataset.labels.of_spans
    assert report.split_sizes == {"train": 54, "valid": 18, "test": 18}
    assert report.label_counts["test"] == {"LOC": 6, "PER": 12}
    assert report.without_entities == {"train": 18, "valid": 6, "test": 6}
    lines = report.lines()
    assert "2 entity types, entities in train: LOC 18, PER 36; imbalance 2.0 to 1" in lines
    assert "rows without entities: train 18, valid 6, test 6" in lines
    assert prepared(many(90))[0] == dataset


def test_texts_stay_as_they_came_and_empty_ones_go():
    odd = row(1, " \u200bＡｎｎａ\r\n", (2, 6, "PER"), name="g")
    empty = row(2, "\u200b ", name="g")
    dataset, report = prepared([*many(40), odd, empty], settings=PrepareSettings(normalize="nfkc"))
    kept = {one.id: one for _, split in dataset.splits() for one in split}
    assert kept["g:1"] == odd
    assert (report.empty, report.normalized, report.rows) == (1, 0, 41)


def test_the_same_text_with_other_spans_is_a_contradiction_and_with_the_same_a_duplicate():
    more = [row(1, "Anna Oslo 0", (0, 4, "PER"), name="g"), row(2, "odd one", (0, 3, "PER"), (4, 7, "LOC"), name="g"),
            row(3, "odd one", name="g")]
    _, report = prepared(many(40) + more)
    assert (report.duplicates, report.contradictory_texts, report.contradictory_rows, report.rows) == (1, 1, 2, 40)
    assert report.contradictions[0].labels == ("PER 0-3; LOC 4-7", "-")


def test_the_hash_covers_the_spans():
    other = [replace(one, spans=one.spans[:1]) for one in many(40)]
    assert prepared(many(40))[0].content_hash != prepared(other)[0].content_hash


def test_the_hash_of_rows_without_spans_is_what_it_was():
    rows = [Example(f"f:{i}", f"text {i}", None, ("ab"[i % 2],)) for i in range(100)]
    assert prepare(rows, None, None, PLAIN, 0)[0].content_hash == (
        "a211391ef08ea70f4238c287da2e28f7a93718dfebc3ea6670816e2826e59503")


def test_one_type_is_enough_and_a_rare_one_stays_in_train():
    alone, _ = prepared([row(n, f"Anna {n}", (0, 4, "PER")) for n in range(30)])
    assert alone.labels.names == ("PER",)
    dataset, report = prepared([*many(60), row(1, "Mars", (0, 4, "PLANET"), name="g")])
    assert dataset.train[-1].id == "g:1"
    assert any("'PLANET'" in note and "train only" in note for note in report.notes)
    assert any("fewer than 10 entities to learn from: 'PLANET'" in note for note in report.notes)


def test_entities_within_entities_are_counted():
    _, report = prepared([*many(40), row(1, "Oslo Opera", (0, 4, "LOC"), (0, 10, "ORG"), name="g")])
    assert report.overlapping == 1
    assert "1 entities begin within another (nested or overlapping)" in report.lines()


def test_a_sample_keeps_the_kinds():
    _, report = prepared(many(300), settings=PrepareSettings(max_rows=60))
    assert sum(report.without_entities.values()) == 20


@pytest.mark.parametrize(("train", "test", "message"), [
    ([row(n, f"none {n}") for n in range(20)], None, "no entity is marked in 20 rows"),
    ([*many(40), Example("g:1", "bare", None, ("x",))], None, "in 1 rows no entities are marked, such as g:1"),
    (many(40), [row(n, f"Mars {n}", (0, 4, "PLANET"), name="t") for n in range(9)],
     r"test has 1 label\(s\) that train does not have: 'PLANET'; train has 'LOC', 'PER'"),
])
def test_data_that_cannot_be_learned_from(train, test, message):
    with pytest.raises(DataError, match=message) as caught:
        prepared(train, test=test)
    assert caught.value.fix


def test_the_report_is_stored():
    _, report = prepared(many(60))
    stored = json.loads(json.dumps(report.to_dict()))
    assert [stored[key] for key in ("problem_type", "without_entities", "overlapping")] == [
        "token_classification", report.without_entities, report.overlapping]
