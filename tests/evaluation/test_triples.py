"""Scores of triples by hand, their baseline, and what is said of finders that find nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from luthier.errors import DataError
from luthier.evaluation import Evaluation, evaluate
from luthier.evaluation.kinds import joint_extraction as kind
from luthier.evaluation.pair_types import learn_pair_types
from luthier.recipe import EvaluationSettings
from luthier.schema import Answer, Entity, Example, Extraction, FoundRelation, LabelSet, Span, TextInput, Triple

LABELS = LabelSet(("based_in", "works_for"), "joint_extraction", types=("city", "firm", "person"))
ANN, ACME, ROME = Span(0, 3, "person"), Span(14, 18, "firm"), Span(22, 26, "city")
ROW = Example("x:1", "Ann works for Acme in Rome", spans=(ANN, ACME, ROME),
              triples=(Triple(ANN, ACME, "works_for"), Triple(ACME, ROME, "based_in")))


class Fixed:
    def __init__(self, *answers: Answer) -> None:
        self.answers = answers

    def predict(self, texts: Sequence[TextInput]) -> Sequence[Answer]:
        return self.answers


def found(spans: Sequence[Span], *relations: tuple[int, str, int], score: float = 0.7) -> Extraction:
    return Extraction(tuple(Entity(one.label, 0.6, ROW.text[one.start:one.end], one.start, one.end) for one in spans),
                      tuple(FoundRelation(name, score, one, other) for one, name, other in relations))


def scored(answer: Extraction) -> Evaluation:
    return evaluate(Fixed(answer), [ROW], LABELS, EvaluationSettings(bootstrap=100))


def test_a_wrong_type_counts_for_boundaries_alone() -> None:
    town = Span(22, 26, "firm")
    values = scored(found((ANN, ACME, town), (0, "works_for", 1), (1, "based_in", 2))).scores.values
    assert [values[name] for name in ("f1_micro", "f1_boundaries")] == [0.5, 1.0]
    assert values["f1_entities"] == pytest.approx(2 / 3)
    assert values["accuracy"] == 0.0


@pytest.mark.parametrize(("relations", "precision", "recall"), [
    ([(0, "works_for", 1)], 1.0, 0.5),
    ([(0, "works_for", 1), (1, "works_for", 2)], 0.5, 0.5),
    ([(1, "works_for", 0), (1, "based_in", 2)], 0.5, 0.5),  # the wrong way round
    ([(0, "works_for", 1), (0, "works_for", 1), (1, "based_in", 2)], 1.0, 1.0),  # the same twice counts once
])
def test_triples_are_counted_by_hand(relations: list[tuple[int, str, int]], precision: float, recall: float) -> None:
    values = scored(found((ANN, ACME, ROME), *relations)).scores.values
    assert (values["precision_micro"], values["recall_micro"]) == (precision, recall)


def test_every_relation_and_type_has_its_scores() -> None:
    system = scored(found((ANN, ACME), (0, "works_for", 1)))
    assert [(entry.label, entry.support, entry.predicted, entry.f1) for entry in system.scores.classes] == [
        ("based_in", 1, 0, 0.0), ("works_for", 1, 1, 1.0)]
    assert dict(kind.facts(system)) == {"fact_labels": "2", "fact_types": "3", "fact_triples": "2", "fact_found": "1",
                                        "fact_missed": "1", "fact_extra": "0", "fact_wrong": "1"}
    assert kind.doubts(system) == ["never found on the test rows: city (1 entities)",
                                   "never found on the test rows: based_in (1 triples)"]


def test_a_finder_of_nothing_says_so() -> None:
    assert "finds no entity in any test row, and so no triple" in kind.doubts(scored(found(())))[0]
    assert "finds entities, and no relation between them" in kind.doubts(scored(found((ANN, ACME, ROME))))[0]


def test_errors_are_shown_and_told_without_words() -> None:
    (error,) = scored(found((ANN, ACME, ROME), (0, "works_for", 1), (0, "based_in", 2))).errors
    assert error.confidence == pytest.approx(0.7)
    told = kind.told(error)
    assert told["triples"][0] == {"subject": {"start": 0, "end": 3, "label": "person"},
                                  "object": {"start": 14, "end": 18, "label": "firm"}, "label": "works_for"}
    assert [one["score"] for one in told["predicted_triples"]] == [0.7, 0.7]
    assert "Ann" not in str(told)
    shown = kind.shown(error)
    assert shown.texts.count("<p ") == 3
    assert "✓ works_for" in shown.texts
    assert "+ based_in 70.0%" in shown.texts
    (missed,) = scored(found((ANN, ACME, ROME))).errors
    assert missed.confidence == 0
    assert "only missed" in kind.shown(missed).sure


def test_of_many_triples_some_are_listed() -> None:
    text = "x " * 30
    spans = tuple(Span(2 * n, 2 * n + 1, "firm") for n in range(30))
    row = Example("x:2", text, spans=spans, triples=tuple(
        Triple(one, other, "based_in") for one, other in zip(spans, spans[1:], strict=False)))
    (error,) = evaluate(Fixed(Extraction(())), [row], LABELS, EvaluationSettings(bootstrap=100)).errors
    assert kind.shown(error).texts.count('<p dir="auto">') == 20
    assert "and 9 more triples" in kind.shown(error).texts


@pytest.mark.parametrize(("row", "said"), [
    (Example("x:1", "a"), "x:1: evaluation needs the entities and relations of every row"),
    (Example("x:1", "a", spans=()), "x:1: evaluation needs the entities and relations of every row"),
    (Example("x:1", ROW.text, spans=ROW.spans, triples=(Triple(ANN, ACME, "work_for"),)),
     "the relation 'work_for' is not one that the model knows: based_in, works_for"),
    (Example("x:1", "Rome", spans=(Span(0, 4, "town"),), triples=()), "the entity type 'town' is not one that"),
])
def test_rows_that_cannot_be_scored_are_refused(row: Example, said: str) -> None:
    with pytest.raises(DataError) as error:
        kind.judge([row], LABELS)
    assert said in str(error.value)


def test_answers_of_another_bundle_are_refused() -> None:
    with pytest.raises(DataError, match=r"answered 1 of 1 rows with entities and relations and the labels ship too"):
        scored(found((Span(0, 3, "ship"),)))


def test_the_baseline_knows_words_and_the_commonest_relation_of_their_types() -> None:
    rows = [Example(f"x:{n}", f"Ann works for Acme in Rome {n}", spans=ROW.spans, triples=ROW.triples)
            for n in range(4)]
    baseline = learn_pair_types([*rows, Example("x:9", "Rome Oslo", spans=(Span(0, 4, "city"), Span(5, 9, "city")),
                                                triples=(Triple(Span(0, 4, "city"), Span(5, 9, "city"), "based_in"),))],
                                LABELS)
    (one, none) = baseline.predict([ROW.text, "nothing of it"])
    assert one.triples == ROW.triples
    assert none == Extraction(())
    assert baseline.relations[("person", "firm")] == ("works_for", 1.0)


def test_pairs_of_types_that_rarely_are_related_are_left_out() -> None:
    people = tuple(Span(4 * n, 4 * n + 3, "person") for n in range(12))
    rows = [ROW, Example("x:2", "Ann " * 12, spans=people, triples=(Triple(people[0], people[1], "works_for"),))]
    assert set(learn_pair_types(rows, LABELS).relations) == {("person", "firm"), ("firm", "city")}
