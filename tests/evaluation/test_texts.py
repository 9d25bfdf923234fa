"""Scores of written texts: against sacrebleu and rouge-score, for any draw of rows; the baseline that copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError, MissingExtraError
from luthier.evaluation import evaluate, fit_baseline, kind_of
from luthier.evaluation.plain_writing import WAYS, fit_plain_writer
from luthier.evaluation.text_statistics import bleu, bleu_counts, chrf, rouge, spelling_of
from luthier.evaluation.texts import Texts, score_texts
from luthier.evaluation.tfidf import make_vectorizer
from luthier.recipe import EvaluationSettings
from luthier.schema import Dataset, Example, Generated, LabelSet, TextInput

LABELS = LabelSet(("generated_text",), "text_generation")
WORDS = {"en": ["the", "cat", "sat", "on", "a", "mat", ".", ",", "2.5", "don't", "Cats"],
         "zh": ["猫", "坐", "在", "垫子", "上", "。", "，", "iPhone", "15", "很好"]}


def texts_of(language: str) -> st.SearchStrategy[str]:
    between = " " if language == "en" else ""
    return st.lists(st.sampled_from(WORDS[language]), max_size=9).map(between.join)


def rows_of(language: str) -> st.SearchStrategy[list[tuple[str, list[str]]]]:
    one = st.tuples(texts_of(language), st.lists(texts_of(language), min_size=1, max_size=3))
    # One whole text, so that the language shows.
    whole = st.just(("the cat sat" if language == "en" else "猫坐在垫子上", [" ".join(WORDS[language])]))
    return st.tuples(whole, st.lists(one, min_size=1, max_size=6)).map(lambda pair: [pair[0], *pair[1]])


def sacrebleu_of(rows: Sequence[tuple[str, list[str]]], tokenizer: str) -> tuple[float, float]:
    from sacrebleu.metrics import BLEU, CHRF

    most = max(len(targets) for _, targets in rows)
    places: Any = [[targets[place] if place < len(targets) else None for _, targets in rows] for place in range(most)]
    said = [text for text, _ in rows]
    scores = [metric.corpus_score(said, places).score for metric in (BLEU(tokenize=tokenizer, force=True), CHRF())]
    return scores[0], scores[1]


@pytest.mark.parametrize("language", ["en", "zh"])
@settings(max_examples=60)
@given(data=st.data())
def test_every_draw_scores_as_sacrebleu_scores_its_rows(language: str, data: st.DataObject) -> None:
    rows = data.draw(rows_of(language))
    outcomes = score_texts([text for text, _ in rows], tuple(tuple(targets) for _, targets in rows))
    draws = np.array(data.draw(st.lists(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)).filter(any),
                                        min_size=1, max_size=4)))
    found = outcomes.metrics(draws.astype(np.float64), np.arange(len(rows)))
    for draw, times in enumerate(draws):
        drawn = [row for row, count in zip(rows, times, strict=True) for _ in range(count)]
        wanted = sacrebleu_of(drawn, {"en": "13a", "zh": "zh"}[language])
        assert 100 * found["bleu"][draw] == pytest.approx(wanted[0], abs=1e-9)
        assert 100 * found["chrf"][draw] == pytest.approx(wanted[1], abs=1e-9)


def test_a_part_of_the_rows_is_scored_alone() -> None:
    rows = [("the cat sat on a mat", ["the cat sat on the mat"]), ("a", ["b"]), ("on a mat", ["on a mat"])]
    outcomes = score_texts([text for text, _ in rows], tuple(tuple(targets) for _, targets in rows))
    found = outcomes.metrics(np.array([[2.0, 1.0]]), np.array([2, 0]))
    wanted = sacrebleu_of([rows[2], rows[2], rows[0]], "13a")
    assert 100 * found["bleu"][0] == pytest.approx(wanted[0], abs=1e-9)
    assert 100 * found["chrf"][0] == pytest.approx(wanted[1], abs=1e-9)
    assert found["exact_match"][0] == pytest.approx(2 / 3)


def test_nothing_written_scores_nothing() -> None:
    outcomes = score_texts(["", ""], (("a text",), ("another",)))
    found = outcomes.metrics(np.ones((1, 2)), np.arange(2))
    assert {name: float(value[0]) for name, value in found.items()} == dict.fromkeys(found, 0.0)
    assert (bleu(np.zeros((1, 10))), chrf(np.zeros((1, 18)))) == (0, 0)


def test_rouge_is_that_of_its_library_in_english() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    said = ["The cats sat on the mat.", "nothing", ""]
    targets = (("The cat sat on a mat", "the mat."), ("something else",), ("a",))
    found = rouge(said, targets, english=True)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for row, (text, right) in enumerate(zip(said, targets, strict=True)):
        for name, score in scorer.score_multi(right, text).items():
            assert found[name][row] == pytest.approx(score.fmeasure)
    assert found["rouge1"][0] == pytest.approx(8 / 12)


def test_rouge_of_summaries_goes_by_sentences_whatever_stands_between_them() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    said, right = "It rained all day. The dog slept.", "The dog slept.\nIt rained."
    (found,) = rouge([said], ((right,),), english=True)["rougeLsum"]
    lines = RougeScorer(["rougeLsum"]).score("The dog slept.\nIt rained.", "It rained all day.\nThe dog slept.")
    assert found == pytest.approx(lines["rougeLsum"].fmeasure) == pytest.approx(2 * 5 / (7 + 5))
    assert rouge([said], ((right,),), english=True)["rougeL"][0] < found
    chinese = rouge(["天下雨。狗睡了。"], (("狗睡了。天下雨。",),), english=False)
    assert (chinese["rougeLsum"][0], chinese["rougeL"][0]) == (pytest.approx(1), pytest.approx(0.5))


def test_of_texts_that_are_written_every_rouge_is_shown() -> None:
    for name in ("text_generation", "dialogue"):
        assert "rougeLsum" in kind_of(name).printed({"metrics": {}}).more


def test_rouge_counts_characters_of_chinese_and_words_of_every_script() -> None:
    found = rouge(["猫坐在 iPhone15 上。"], (("猫在 iphone15 上",),), english=False)
    assert found["rouge1"][0] == pytest.approx(2 * 4 / (5 + 4))
    assert found["rougeL"][0] == pytest.approx(2 * 4 / (5 + 4))
    assert found["rouge2"][0] == pytest.approx(2 * 2 / (4 + 3))
    assert rouge(["Кошка сидит"], (("кошка спит",),), english=False)["rouge1"][0] == pytest.approx(0.5)


@pytest.mark.parametrize(("text", "bleu_tokenizer", "english"), [
    ("The cat sat on the mat.", "13a", True), ("猫坐在垫子上。", "zh", False), ("Кошка сидит", "13a", False),
])
def test_the_language_of_the_targets_tells_how_words_are_cut(text: str, bleu_tokenizer: str, english: bool) -> None:
    found = spelling_of(((text,), (text, "")))
    assert (found.bleu, found.english) == (bleu_tokenizer, english)


def test_several_right_texts_count_with_the_best() -> None:
    one = score_texts(["a red hat"], (("a blue hat", "a red hat"),))
    assert one.right.tolist() == [True]
    assert one.metrics(np.ones((1, 1)), np.arange(1))["chrf"][0] == pytest.approx(1)
    assert score_texts([" a red hat\n"], (("a red hat",),)).right.tolist() == [True]


def test_rows_with_equal_outcomes_have_equal_keys() -> None:
    outcomes = score_texts(["a b", "c d", "a b"], (("a c",), ("c e",), ("a b",)))
    assert np.array_equal(outcomes.keys[0], outcomes.keys[1])
    assert not np.array_equal(outcomes.keys[0], outcomes.keys[2])


class Says:
    """Writes fixed texts."""

    def __init__(self, texts: Sequence[str], finish: Any = "stop") -> None:
        self.answers = [Generated(text, finish) for text in texts]

    def predict(self, texts: Sequence[TextInput]) -> list[Generated]:
        return self.answers


ROWS = [Example(f"x:{n}", f"say {n}", targets=(f"he said {n}",)) for n in range(12)]
SETTINGS = EvaluationSettings(bootstrap=100)


def test_errors_come_farthest_first_and_hold_no_words() -> None:
    said = [f"he said {n}" if n % 3 else f"he says {'x' * n}" for n in range(12)]
    found = evaluate(Says(said), ROWS, LABELS, SETTINGS)
    assert found.wrong == 4
    apart = [error.confidence for error in found.errors]
    assert len(apart) == 4
    assert apart == sorted(apart, reverse=True)
    first = found.to_dict()["confident_errors"][0]
    assert set(first) == {"id", "distance", "length", "right_lengths", "finish"}
    assert isinstance(found.outcomes, Texts)


def test_a_text_that_differs_in_white_space_only_is_still_an_error() -> None:
    found = evaluate(Says([f"he  said {n}" for n in range(12)]), ROWS, LABELS, SETTINGS)
    assert (found.wrong, len(found.errors)) == (12, 12)


@pytest.mark.parametrize(("said", "finish", "doubt"), [
    ([""] * 12, "stop", "writes nothing for any test row: it has learned nothing"),
    (["he said"] * 12, "stop", "writes one and the same text for every test row: it has learned nothing"),
    ([f"he said {n} and" for n in range(12)], "length", "12 of 12 test texts were ended by the length limit"),
])
def test_a_model_that_learned_nothing_is_doubted(said: list[str], finish: str, doubt: str) -> None:
    found = evaluate(Says(said, finish), ROWS, LABELS, SETTINGS)
    assert any(doubt in told for told in found.kind.doubts(found))


SOURCES = [f"{topic} costs {n} coins. Nobody knows why, not even he. So be it. {topic} is dear." for n in range(6)
           for topic in ("Bread", "Silver", "Water", "Timber")]


def dataset(sources: Sequence[str], targets: Sequence[str]) -> Dataset:
    rows = tuple(Example(f"x:{n}", source, targets=(target,))
                 for n, (source, target) in enumerate(zip(sources, targets, strict=True)))
    third = len(rows) // 3
    return Dataset(rows[:third], rows[third:2 * third], rows[2 * third:], LABELS, "")


@pytest.mark.parametrize(("way", "targets"), [
    ("copy", SOURCES),
    ("first sentence", [source.partition(" Nobody")[0] for source in SOURCES]),
    ("three sentences", [source[: source.index("be it.") + 6] for source in SOURCES]),
    ("nearest", [f"{source.split()[0].upper()}!" for source in SOURCES]),
])
def test_the_baseline_does_what_serves_best_on_the_validation_rows(way: str, targets: list[str]) -> None:
    data = dataset(SOURCES, targets)
    writer = fit_plain_writer(data, lambda rows: make_vectorizer("en", rows=rows))
    assert writer.way == way
    assert way in WAYS
    assert [answer.generated_text for answer in writer.predict(SOURCES)] == targets
    assert evaluate(fit_baseline(data, "en"), data.test, LABELS, SETTINGS).scores.values["exact_match"] == 1


def test_the_baseline_finds_the_nearest_text_in_parts_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [f"text {'abc'[n % 3] * 3} {n}" for n in range(12)]
    writer = fit_plain_writer(dataset(sources, sources[::-1]), lambda rows: make_vectorizer("zh", rows=rows))
    at_once = writer.write(sources, "nearest")
    monkeypatch.setattr("luthier.evaluation.plain_writing._CELLS", 30)
    assert writer.write(sources, "nearest") == at_once
    assert writer.write([("text aaa 0", "more"), ""], "copy") == ["text aaa 0\nmore", ""]


def test_rows_and_extras_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"x:9: evaluation needs the right text of every row, got none\n  -> leave the"):
        evaluate(Says(["a"]), [Example("x:9", "a text")], LABELS, SETTINGS)
    with pytest.raises(DataError, match="the predictor answered 11 of 12 rows with a text"):
        evaluate(Says(["a"] * 11), ROWS, LABELS, SETTINGS)
    with pytest.raises(DataError, match="the baseline needs train rows with targets, got none"):
        fit_baseline(Dataset((), (), (), LABELS, ""), "en")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (lambda: bleu_counts(["a"], (("a",),), "13a"), lambda: rouge(["a"], (("a",),), english=True)):
        with pytest.raises(MissingExtraError, match=r"luthier\[generation\]"):
            call()
