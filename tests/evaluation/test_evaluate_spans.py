"""Evaluating a finder of entities: its own spans, its errors in order, its intervals; comparing two."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from fakes import QUICK, FakePredictor, rows
from span_fakes import LABELS, FakeFinder, span_rows

from luthier.data import inspect, prepare, read_all
from luthier.errors import DataError
from luthier.evaluation import compare, evaluate
from luthier.evaluation.outcomes import label_outcomes
from luthier.recipe import EvaluationSettings, PrepareSettings
from luthier.schema import Entities, Entity, Example, LabelSet, Prediction, Span
from luthier.tasks import averages
from luthier.tasks._spans import strict_counts


class Fixed:
    def __init__(self, *answers):
        self.answers = list(answers)

    def predict(self, texts):
        return self.answers


def entity(start, end, label, score=0.9):
    return Entity(label, score, "", start, end)


TEXT = "Ana Silva left New York"
ROW = Example("x:1", TEXT, spans=(Span(0, 9, "PER"), Span(15, 23, "LOC")))
EMPTY = Example("x:2", "Nothing here", spans=())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_scores_are_those_of_the_predictors_own_spans(language):
    examples = span_rows(80, language=language)
    finder = FakeFinder(examples, seed=3, cut=4)
    result = evaluate(finder, examples, LABELS, QUICK)
    found = [[one.span for one in answer.entities] for answer in result.predictions]
    parts = [part.sum(0) for part in strict_counts([row.spans for row in examples], found, LABELS.names)]
    for name, value in averages(*parts, multi_label=False).items():
        assert result.scores.values[name] == result.intervals.metrics[name].value == value
    right = [set(row.spans) == set(spans) for row, spans in zip(examples, found, strict=True)]
    assert result.scores.values["accuracy"] == np.mean(right)
    assert result.wrong == 80 - sum(right)
    assert result.truncated == 4
    assert result.main_metric == "f1_micro"
    assert result.scores.confusion is None
    assert result.probabilities is None
    assert [entry.support for entry in result.scores.classes] == (parts[0] + parts[2]).tolist()
    assert all(entry.roc_auc is entry.average_precision is None for entry in result.scores.classes)
    values = result.scores.values
    assert values["f1_micro"] <= min(values["f1_exact"], values["f1_type"])
    assert values["f1_exact"] <= values["f1_partial"]
    for name, interval in result.intervals.metrics.items():
        assert interval.value == values[name]
        assert 0 <= interval.low <= interval.high <= 1
    assert result.scores.tokens.averages["f1_micro"] == values["token_f1_micro"]
    assert result.scores.tokens.tags[0].tag == "O"
    assert sum(entry.support for entry in result.scores.tokens.tags) == result.scores.tokens.words


def test_tags_are_counted_by_the_tokens_that_a_row_came_in(tmp_path):
    file = tmp_path / "rows.conll"
    file.write_text("".join(f"U.N.-{n:03} B-ORG\nin O\n1996-08-22 B-DAY\n. O\n\n" for n in range(50)), encoding="utf-8")
    rows = read_all(inspect(file), max_bad_rows=0)[0]
    dataset, _ = prepare(rows, None, None, PrepareSettings(), 0, problem_type="token_classification")
    count = len(dataset.test)
    finder = Fixed(*[Entities((entity(0, 8, "ORG"),))] * count)
    found = evaluate(finder, dataset.test, dataset.labels, QUICK).scores.tokens
    assert {one.tag: (one.support, one.recall) for one in found.tags} == {
        "O": (2 * count, 1), "B-ORG": (count, 1), "B-DAY": (count, 0)}


def test_what_was_missed_and_what_was_too_much():
    answer = Entities((entity(0, 9, "PER"), entity(15, 18, "LOC", 0.7)))
    result = evaluate(Fixed(answer, Entities(())), [ROW, EMPTY], LABELS, QUICK)
    assert [(c.true_positives, c.support, c.predicted) for c in result.scores.classes] == [
        (0, 1, 1), (0, 0, 0), (1, 1, 1)]
    values = result.scores.values
    assert (values["f1_micro"], values["f1_exact"], values["f1_type"], values["f1_partial"]) == (0.5, 0.5, 1, 0.75)
    assert values["accuracy"] == 0.5
    assert values["f1_macro"] == 0.5  # of LOC and PER: no row carries or was given ORG
    assert values["token_f1_micro"] == pytest.approx(6 / 7)
    assert result.truth.tolist() == [[True, False, True], [False] * 3]
    assert result.chosen.tolist() == [[True, False, True], [False] * 3]


def test_the_surest_wrong_entity_comes_first_and_what_was_only_missed_last():
    examples = [Example(f"x:{n}", TEXT, spans=ROW.spans) for n in range(4)]
    right = (entity(0, 9, "PER", 0.99), entity(15, 23, "LOC", 0.99))
    result = evaluate(
        Fixed(Entities(right[:1]), Entities((*right, entity(10, 14, "ORG", 0.6))), Entities(right),
              Entities((entity(0, 9, "ORG", 0.8),))), examples, LABELS, QUICK)
    assert [(error.example.id, round(error.confidence, 2)) for error in result.errors] == [
        ("x:3", 0.8), ("x:1", 0.6), ("x:0", 0.0)]
    assert result.wrong == 3


def test_truncated_texts_keep_their_entities():
    result = evaluate(Fixed(Entities((), truncated=True)), [ROW], LABELS, QUICK)
    assert result.scores.values["recall_micro"] == 0
    assert sum(entry.support for entry in result.scores.classes) == 2


def test_the_json_form_holds_places_but_no_texts():
    examples = span_rows(60)
    result = evaluate(FakeFinder(examples, skill=0.3), examples, LABELS, QUICK).to_dict()
    written = json.dumps(result, allow_nan=False)
    assert "Ana" not in written
    assert "Acme" not in written
    first = result["confident_errors"][0]
    assert set(first) == {"id", "spans", "predicted", "confidence"}
    assert set(first["predicted"][0]) == {"start", "end", "label", "score"}
    assert {"tags", "averages", "words"} == set(result["tokens"])
    assert result["classes"][0]["f1_interval"]["value"] == result["classes"][0]["f1"]


def test_intervals_equal_a_plain_bootstrap_of_the_rows():
    examples = span_rows(200, seed=5)
    result = evaluate(FakeFinder(examples), examples, LABELS, EvaluationSettings(bootstrap=4000), seed=2)
    found = [[one.span for one in answer.entities] for answer in result.predictions]
    table = np.stack(strict_counts([row.spans for row in examples], found, LABELS.names), 1)
    draw = np.random.default_rng(3)
    plain = []
    for _ in range(4000):
        tp, fp, fn = table[draw.integers(0, 200, 200)].sum((0, 2))
        plain.append(2 * tp / (2 * tp + fp + fn))
    interval = result.intervals.metrics["f1_micro"]
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.006)


def test_the_order_of_the_rows_does_not_matter():
    examples = span_rows(50)
    answers = FakeFinder(examples).predict([row.text for row in examples])
    turned = random.Random(1).sample(range(50), 50)
    one = evaluate(Fixed(*answers), examples, LABELS, QUICK, seed=4)
    other = evaluate(Fixed(*(answers[n] for n in turned)), [examples[n] for n in turned], LABELS, QUICK, seed=4)
    assert one.intervals == other.intervals


def test_a_paired_comparison_of_two_finders():
    examples = span_rows(200)
    good, poor = (evaluate(FakeFinder(examples, skill=skill), examples, LABELS, QUICK) for skill in (0.9, 0.4))
    found = compare(good, poor, QUICK)
    assert found["f1_micro"].verdict == "better"
    assert found["f1_micro"].value == pytest.approx(good.scores.values["f1_micro"] - poor.scores.values["f1_micro"])
    assert {"accuracy", "f1_partial", "token_f1_macro"} <= set(found)
    assert compare(good, good, QUICK)["f1_micro"].value == 0


def test_comparing_needs_the_same_rows():
    one = evaluate(Fixed(Entities(())), [EMPTY], LABELS, QUICK)
    for other in ([Example("y:1", "Nothing at all here", spans=())], [EMPTY, EMPTY], [ROW]):
        second = evaluate(Fixed(*[Entities(())] * len(other)), other, LABELS, QUICK)
        with pytest.raises(DataError, match="not evaluated on the same rows"):
            compare(one, second, QUICK)
    labels, examples, truth = rows(3, 1)
    with pytest.raises(DataError, match="not evaluated on the same rows"):
        compare(one, evaluate(FakePredictor(labels, truth), examples, labels, QUICK), QUICK)


def test_rows_without_spans_and_other_types_are_refused():
    with pytest.raises(DataError, match="x:9: evaluation needs the entities of every row, got none"):
        evaluate(Fixed(), [Example("x:9", "text", labels=("PER",))], LABELS, QUICK)
    with pytest.raises(DataError, match="x:9: the entity type 'DATE' is not one that the model knows: LOC, ORG, PER"):
        evaluate(Fixed(), [Example("x:9", "text", spans=(Span(0, 1, "DATE"),))], LABELS, QUICK)
    with pytest.raises(DataError, match="answered 0 of 1 rows with entities; expected one answer a row with LOC"):
        evaluate(Fixed(), [ROW], LABELS, QUICK)
    with pytest.raises(DataError, match="1 of 1 rows with entities of the types DATE too"):
        evaluate(Fixed(Entities((entity(0, 3, "DATE"),))), [ROW], LABELS, QUICK)
    with pytest.raises(DataError, match="answered 0 of 1 rows"):
        evaluate(Fixed(Prediction(("LOC",), LABELS.names, np.ones(3, np.float32))), [ROW], LABELS, QUICK)


def test_a_classifiers_outcomes_give_back_what_was_carried_and_given():
    truth, chosen = (np.random.default_rng(n).random((9, 4)) < 0.5 for n in (1, 2))
    outcomes = label_outcomes(truth, chosen, multi_label=True)
    assert np.array_equal(outcomes.carried, truth)
    assert np.array_equal(outcomes.given, chosen)
    assert LabelSet(("a",)).of_spans is False


NESTED = Example("x:3", "University of Oslo in Oslo", spans=(
    Span(0, 18, "ORG"), Span(14, 18, "LOC"), Span(22, 26, "LOC"), Span(22, 26, "ORG")))


def test_entities_within_others_count_each_for_itself() -> None:
    # One of two equal stretches, the inner one with another type, and half of the outer one.
    answer = Entities((entity(0, 13, "ORG", 0.8), entity(14, 18, "PER", 0.6), entity(22, 26, "ORG")))
    result = evaluate(Fixed(answer, Entities(())), [NESTED, EMPTY], LABELS, QUICK)
    values = result.scores.values
    assert (values["precision_micro"], values["recall_micro"]) == (1 / 3, 1 / 4)
    assert (values["precision_exact"], values["recall_exact"]) == (2 / 3, 2 / 4)
    assert (values["precision_partial"], values["recall_partial"]) == (2.5 / 3, 2.5 / 4)
    assert (values["precision_type"], values["recall_type"]) == (2 / 3, 2 / 4)
    assert result.wrong == 1
    assert [error.confidence for error in result.errors] == [pytest.approx(0.8)]
    assert json.loads(json.dumps(result.to_dict()))["confident_errors"][0]["spans"][3]["label"] == "ORG"


def test_words_of_several_entities_have_no_table_of_tags() -> None:
    answers = [Entities((entity(0, 18, "ORG"), entity(14, 18, "LOC"))), Entities(())]
    nested = evaluate(Fixed(*answers), [NESTED, EMPTY], LABELS, QUICK)
    assert nested.scores.tokens is None
    assert not [name for name in nested.scores.values if name.startswith("token")]
    assert compare(nested, evaluate(Fixed(Entities(()), answers[1]), [NESTED, EMPTY], LABELS, QUICK), QUICK)
    flat = evaluate(Fixed(answers[0], answers[1]), [ROW, EMPTY], LABELS, QUICK)  # only what was found overlaps
    assert flat.scores.tokens is not None
