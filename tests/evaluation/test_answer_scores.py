"""Scores of answers against examples worked by hand after SQuAD's and CMRC's scripts, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.evaluation import Report, compare, evaluate, write_report
from luthier.evaluation.answer_scores import is_chinese, normal_english, score_answer
from luthier.evaluation.baseline import fit_baseline
from luthier.evaluation.best_sentence import BestSentence
from luthier.evaluation.intervals import Draws, intervals
from luthier.evaluation.row_values import RowValues
from luthier.recipe import EvaluationSettings
from luthier.schema import Dataset, Example, FoundAnswer, GoldAnswer, LabelSet

LABELS = LabelSet(("answer",), "question_answering")


def test_english_is_compared_without_articles_and_punctuation() -> None:
    assert normal_english("The  Denver's Broncos, an A-team!") == "denvers broncos ateam"


@pytest.mark.parametrize(("given", "right", "exact", "f1"), [
    ("the Denver Broncos", ["Denver Broncos"], 1, 1),
    ("Broncos", ["Denver Broncos"], 0, 2 / 3),
    ("Denver Denver", ["Denver Broncos"], 0, 1 / 2),
    ("Denver Broncos of Colorado", ["Broncos", "the Broncos of Colorado"], 0, 6 / 7),
    ("Carolina", ["Denver Broncos"], 0, 0),
    ("", ["Denver"], 0, 0), ("", [], 1, 1), ("Denver", [], 0, 0), ("the", [], 1, 1),
    ("Denver", ["the", "Denver"], 1, 1),
])
def test_english_answers(given: str, right: list[str], exact: float, f1: float) -> None:
    assert score_answer(given, right, chinese=False) == pytest.approx((exact, f1))


@pytest.mark.parametrize(("given", "right", "exact", "f1"), [
    ("北京。", ["北京"], 1, 1),
    ("在北京市", ["北京"], 0, 2 * 2 / 6),
    ("北方京城", ["北京"], 0, 2 * 1 / 6),  # the longest stretch, not the characters they share
    ("NBA 总决赛", ["nba总决赛"], 0, 1),  # the space counts for the exact match alone, as in the script
    ("2008年", ["2008 年"], 0, 1),
    ("上海", ["北京", "上海"], 1, 1), ("", [], 1, 1), ("北京", [], 0, 0), ("", ["北京"], 0, 0),
])
def test_chinese_answers(given: str, right: list[str], exact: float, f1: float) -> None:
    assert score_answer(given, right, chinese=True) == pytest.approx((exact, f1))


def test_the_context_tells_the_language() -> None:
    assert is_chinese("王芳昨天去了 Rome 的 NBA")
    assert not is_chinese("Ann said 你好 to everyone in the room")


def row(number: int, answers: tuple[str, ...], context: str = "Ann met Bob. Bob lives in Rome. It rains.") -> Example:
    gold = tuple(GoldAnswer(text, context.find(text) if text in context else None) for text in answers)
    return Example(f"x:{number}", "Where does Bob live?", context, answers=gold)


ROWS = [row(1, ("Rome",)), row(2, ("in Rome", "Rome")), row(3, ()), row(4, ()), row(5, ("Carol",))]


class Says:
    """Answers what it was told to."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers

    def predict(self, texts: object) -> list[FoundAnswer]:
        context = ROWS[0].text_b or ""
        return [FoundAnswer(text, 0.5 + number / 10, start := max(context.find(text), 0), start + len(text))
                for number, text in enumerate(self.answers)]


SETTINGS = EvaluationSettings(bootstrap=200)


def test_of_questions_without_answers_alone_there_are_no_parts() -> None:
    found = evaluate(Says("", "Rome"), [ROWS[2], ROWS[3]], LABELS, SETTINGS)
    assert found.scores.values["f1"] == 0.5
    assert not any("answerable" in name for name in found.scores.values)


def test_means_over_questions_and_over_both_kinds() -> None:
    found = evaluate(Says("in Rome", "in Rome", "", "Bob", "Bob"), ROWS, LABELS, SETTINGS)
    values = found.scores.values
    assert values["exact_match"] == pytest.approx(2 / 5)
    assert values["f1"] == pytest.approx((2 / 3 + 1 + 1) / 5)
    assert values["f1_answerable"] == pytest.approx((2 / 3 + 1) / 3)
    assert values["f1_unanswerable"] == pytest.approx(1 / 2)
    assert found.scores.parts == {"answerable": 3, "unanswerable": 2}
    assert (found.main_metric, found.wrong) == ("f1", 3)
    assert [error.example.id for error in found.errors] == ["x:5", "x:4", "x:1"]  # the surest first
    interval = found.intervals.metrics["f1"]
    assert interval.low < interval.value < interval.high
    document = found.to_dict()
    assert document["classes"] == []
    assert "Bob" not in str(document)
    assert found.chosen[:, 0].tolist() == [True, True, False, True, True]


def test_questions_that_all_have_answers_are_not_split() -> None:
    found = evaluate(Says("Rome", "Rome"), ROWS[:2], LABELS, SETTINGS)
    assert set(found.scores.values) == {"f1", "exact_match"}
    assert found.scores.values["exact_match"] == 1


def test_two_systems_are_compared_row_by_row() -> None:
    one = evaluate(Says("Rome", "Rome", "", "", "Carol"), ROWS, LABELS, SETTINGS)
    other = evaluate(Says("Bob", "Bob", "Bob", "Bob", "Bob"), ROWS, LABELS, SETTINGS)
    difference = compare(one, other, SETTINGS)["f1"]
    assert (difference.value, difference.verdict) == (1.0, "better")
    with pytest.raises(DataError, match="not evaluated on the same rows"):
        compare(one, evaluate(Says("Rome", "Rome", "", ""), ROWS[:4], LABELS, SETTINGS), SETTINGS)


def test_a_mean_is_resampled_as_by_hand() -> None:
    values = np.random.default_rng(0).random(200)
    outcomes = RowValues({"f1": values, "exact_match": values}, values > 0.5, np.ones((200, 1)), np.ones((200, 1)))
    found = intervals(outcomes, Draws(2000, 0.95, 0)).metrics["f1"]
    error = values.std() / np.sqrt(200)
    assert found.value == pytest.approx(values.mean())
    bounds = values.mean() - 1.96 * error, values.mean() + 1.96 * error
    assert (found.low, found.high) == pytest.approx(bounds, abs=0.006)


def test_unlabelled_questions_are_refused() -> None:
    with pytest.raises(DataError, match="x:9: evaluation needs the answers of every question"):
        evaluate(Says("Rome"), [Example("x:9", "q", "c")], LABELS, SETTINGS)
    with pytest.raises(DataError, match="answered 1 of 2 questions"):
        evaluate(Says("Rome"), ROWS[:2], LABELS, SETTINGS)


def test_the_baseline_takes_the_sentence_that_shares_most() -> None:
    dataset = Dataset(tuple(ROWS), (), (), LABELS, "")
    baseline = fit_baseline(dataset, "en")
    assert isinstance(baseline, BestSentence)
    english, chinese, empty = baseline.predict([
        ("Where does Bob live?", "It rains. Bob does not live here. Ann met him."),
        ("王芳去了哪里？", "今天下雨。王芳去了北京。"), ("q", "")])
    assert english.answer == "Bob does not live here."
    assert (chinese.answer, chinese.start) == ("王芳去了北京。", 5)
    assert (empty.answer, empty.score) == ("", 0.0)


def test_the_page_shows_what_was_asked_expected_and_found(tmp_path: Path) -> None:
    systems = {"tuned": evaluate(Says("in Rome", "in Rome", "", "Bob", "Bob"), ROWS, LABELS, SETTINGS),
               "baseline": evaluate(BestSentence(), ROWS, LABELS, SETTINGS)}
    counts = {"unanswerable": {"train": 3}, "label_counts": {"train": {"answer": 2}}, "split_sizes": {"train": 5}}
    write_report(tmp_path, Report("q", systems, data_report={"problem_type": "question_answering", **counts}))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for said in ("Where does Bob live?", "Carol", "no answer", "Got an answer", "Questions without an answer",
                 "在 5 个测试问题上", "Exact match"):
        assert said in page
    for other in ('id="classes"', 'id="confusion"', 'id="curves"', 'id="tags"', "Rows of each label"):
        assert other not in page


def test_what_the_terminal_shows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from luthier.cli._show import print_evaluation, print_scores

    monkeypatch.setenv("COLUMNS", "200")
    scored = evaluate(Says("in Rome", "in Rome", "", "Bob", "Bob"), ROWS, LABELS, SETTINGS)
    recipe = SimpleNamespace(evaluation=SimpleNamespace(confidence=0.95))
    print_scores(SimpleNamespace(scores={"systems": {"baseline": scored.to_dict()}}, warnings=(), recipe=recipe))
    printed = capsys.readouterr().out
    for words in ("on 5 test rows", "F1 [95 %]", "exact match [95 %]", "baseline (best sentence)", "0.4000 ["):
        assert words in printed
    print_evaluation(scored)
    printed = capsys.readouterr().out
    for words in ("exact match 0.4000 [", "F1 of 3 answerable questions 0.5556 [", "F1 of 2 unanswerable questions"):
        assert words in printed
