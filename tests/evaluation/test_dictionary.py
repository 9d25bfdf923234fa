"""The dictionary of the training entities: longest match, at the bounds of words, only of what is mostly an entity."""

from __future__ import annotations

import time

import pytest

from luthier.errors import DataError
from luthier.evaluation import evaluate, fit_baseline
from luthier.evaluation.dictionary import Dictionary
from luthier.recipe import EvaluationSettings
from luthier.schema import Dataset, Example, LabelSet, Span

LABELS = LabelSet(("LOC", "ORG", "PER"), "token_classification")


def row(text, **entities):
    """Return an example; each named label is a string of the text."""
    spans = [Span(text.index(part), text.index(part) + len(part), label)
             for label, parts in entities.items() for part in parts]
    return Example(f"x:{text}", text, spans=tuple(sorted(spans)))


def learned(*rows):
    return fit_baseline(Dataset(rows, rows, rows, LABELS, "hash"), "en")


def found(dictionary, text):
    return [(one.word, one.entity_group) for one in dictionary.predict([text])[0].entities]


def test_the_longest_match_wins_at_the_bounds_of_words():
    data = learned(row("Bank of China opened", ORG=["Bank of China"]), row("in China", LOC=["China"]))
    assert isinstance(data, Dictionary)
    assert found(data, "The Bank of China in China.") == [("Bank of China", "ORG"), ("China", "LOC")]
    assert found(data, "Chinatown, Bank  of\tChina") == [("Bank  of\tChina", "ORG")]
    assert found(data, "Bank of") == []
    assert found(data, "") == []


def test_chinese_needs_no_spaces():
    data = learned(row("王小明在北京", PER=["王小明"], LOC=["北京"]))
    assert found(data, "北京的王小明，😀北京") == [("北京", "LOC"), ("王小明", "PER"), ("北京", "LOC")]
    entity = data.predict(["😀北京"])[0].entities[0]
    assert (entity.start, entity.end, entity.score) == (1, 3, 1.0)


def test_strings_that_are_mostly_something_else_are_left_out():
    may = row("May left", PER=["May"])
    assert found(learned(may, row("in May")), "May") == [("May", "PER")]  # one of two
    assert found(learned(may, row("in May"), row("by May")), "May") == []  # one of three


def test_a_string_inside_a_longer_entity_does_not_count_against_it():
    rows = [row("Bank of China opened", ORG=["Bank of China"])] * 5 + [row("in China", LOC=["China"])]
    assert found(learned(*rows), "China") == [("China", "LOC")]


def test_the_commonest_type_wins_and_the_score_tells_how_often():
    data = learned(row("Paris", LOC=["Paris"]), row("Paris !", LOC=["Paris"]), row("Paris ?", PER=["Paris"]),
                   row("Paris it is"))
    entity = data.predict(["Paris"])[0].entities[0]
    assert (entity.entity_group, entity.score) == ("LOC", 0.5)
    tied = learned(row("Paris", PER=["Paris"]), row("Paris !", LOC=["Paris"]))
    assert found(tied, "Paris") == [("Paris", "LOC")]


def test_entities_within_words_and_rows_without_any_teach_nothing():
    data = learned(Example("x:1", "unbelievable", spans=(Span(2, 9, "ORG"),)), row("nothing"))
    assert data.predict(["believe unbelievable"])[0].entities == ()


def test_no_rows_and_rows_without_spans_are_refused():
    with pytest.raises(DataError, match="needs train rows, got none"):
        learned()
    with pytest.raises(DataError, match="needs the entities of every row"):
        learned(Example("x:1", "text", labels=("PER",)))


def test_thousands_of_sentences_take_seconds():
    rows = [row(f"Number {n} of Person{n} Silva went to Town{n % 50} with many other words in the line",
                PER=[f"Person{n} Silva"], LOC=[f"Town{n % 50}"]) for n in range(7000)]
    started = time.perf_counter()
    data = learned(*rows)
    result = evaluate(data, rows, LABELS, EvaluationSettings(bootstrap=100))
    assert time.perf_counter() - started < 10
    assert result.scores.values["f1_micro"] == 1


def test_where_entities_overlap_all_matches_count() -> None:
    rows = [row("Bank of China opened", ORG=["Bank of China"], LOC=["China"]), row("in China", LOC=["China"])]
    data = learned(*rows)
    assert data.overlapping
    assert found(data, "The Bank of China in China.") == [("Bank of China", "ORG"), ("China", "LOC"), ("China", "LOC")]
    twice = [Example(f"x:{n}", f"Georgia {n}", spans=(Span(0, 7, "LOC"), Span(0, 7, "ORG"))) for n in range(2)]
    assert found(learned(*rows, *twice), "Georgia") == [("Georgia", "LOC"), ("Georgia", "ORG")]
    assert found(learned(*rows, *twice, row("Georgia left"), row("Georgia is", ORG=["Georgia"])), "Georgia") == [
        ("Georgia", "ORG"), ("Georgia", "LOC")]
    assert not learned(rows[1]).overlapping
