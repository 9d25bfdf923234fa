"""What every file in ``luthier/evaluation/kinds`` keeps to: scores that belong to their rows, and a report of them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from luthier import plugins
from luthier.cli._show import print_evaluation, print_scores
from luthier.errors import DataError, UnknownNameError
from luthier.evaluation import Evaluation, Report, compare, evaluate, fit_baseline, kind_of, write_report
from luthier.evaluation.kind import SEAM, Form, Kind
from luthier.evaluation.report.words import WORDS, every_word
from luthier.recipe import EvaluationSettings
from luthier.schema import (
    Answer,
    Argument,
    Conversation,
    Dataset,
    Embedding,
    Entities,
    Entity,
    Estimate,
    Example,
    Extraction,
    FoundAnswer,
    FoundRelation,
    Generated,
    GoldAnswer,
    LabelSet,
    Likelihood,
    Passage,
    Passages,
    Prediction,
    Relevance,
    Reranked,
    Scale,
    Similarity,
    Span,
    TextInput,
    Triple,
    Turn,
)

NAMES = plugins.names(SEAM)
SETTINGS = EvaluationSettings(bootstrap=100)
SECRET = "zanzibar"


@dataclass(frozen=True)
class Case:
    """Labelled rows with answers that are all right, and such that are all wrong."""

    labels: LabelSet
    rows: tuple[Example, ...]
    right: tuple[Answer, ...]
    wrong: tuple[Answer, ...]
    corpus: Mapping[str, Answer] = field(default_factory=dict)
    """Answers to passages, which are asked for beside the rows."""

    def scored(self, answers: Sequence[Answer]) -> Evaluation:
        return evaluate(Fixed(answers, self.corpus), self.rows, self.labels, SETTINGS)


@dataclass(frozen=True)
class Fixed:
    answers: Sequence[Answer]
    corpus: Mapping[str, Answer] = field(default_factory=dict)

    def predict(self, texts: Sequence[TextInput]) -> Sequence[Answer]:
        passages = [self.corpus[text] for text in texts if isinstance(text, Passage) and text in self.corpus]
        return [*self.answers[: len(texts) - len(passages)], *passages]


def classes(problem_type: Any) -> Case:
    labels = LabelSet(("a", "b"), problem_type)
    rows = tuple(Example(f"x:{n}", f"{SECRET} {'ab'[n % 2]} {n}", labels=("ab"[n % 2],)) for n in range(12))
    sure = {name: np.array([name == "a", name == "b"], np.float32) * 0.8 + 0.1 for name in "ab"}
    said = [Prediction(("ab"[n % 2],), labels.names, sure["ab"[n % 2]]) for n in range(13)]
    return Case(labels, rows, tuple(said[:12]), tuple(said[1:]))


def spans() -> Case:
    labels = LabelSet(("PER", "LOC"), "token_classification")
    rows = tuple(Example(f"x:{n}", f"Ann {SECRET} {n}", spans=(Span(0, 3, "PER"), Span(4, 4 + len(SECRET), "LOC")))
                 for n in range(12))
    right = Entities((Entity("PER", 0.9, "Ann", 0, 3), Entity("LOC", 0.8, SECRET, 4, 4 + len(SECRET))))
    wrong = Entities((Entity("LOC", 0.9, "Ann", 0, 3),))
    return Case(labels, rows, (right,) * 12, (wrong,) * 12)


def questions() -> Case:
    rows = tuple(Example(f"x:{n}", f"where is {SECRET}?", f"{SECRET} is here {n}.",
                         answers=(GoldAnswer("here", len(SECRET) + 4),) * (n % 3 > 0)) for n in range(12))
    right = [FoundAnswer("here", 0.9, len(SECRET) + 4, len(SECRET) + 8) if n % 3 else FoundAnswer("", 0.9, 0, 0)
             for n in range(12)]
    wrong = [FoundAnswer(SECRET, 0.9, 0, len(SECRET))] * 12
    return Case(LabelSet(("answer",), "question_answering"), rows, tuple(right), tuple(wrong))


def numbers() -> Case:
    labels = LabelSet(("stars",), "regression", Scale(2.0, 0.8, (1, 2, 3)))
    rows = tuple(Example(f"x:{n}", f"{SECRET} {'good ' * (n % 3)} {n}", value=1.0 + n % 3) for n in range(12))
    right = tuple(Estimate(1.0 + n % 3, 1 + n % 3) for n in range(12))
    return Case(labels, rows, right, tuple(Estimate(3.0 - n % 3 + 0.25, 3 - n % 3) if n % 3 != 1 else Estimate(3.0, 3)
                                           for n in range(12)))


def texts() -> Case:
    labels = LabelSet(("generated_text",), "text_generation")
    rows = tuple(Example(f"x:{n}", f"say {SECRET} {n}", targets=(f"{SECRET} {n} is said", "so it is") if n % 2 else
                         (f"{SECRET} {n} is told",)) for n in range(12))
    right = tuple(Generated((row.targets or ("",))[0], "stop") for row in rows)
    wrong = tuple(Generated(f"{SECRET} says {'no ' * (n % 3)}{n}", "length" if n % 5 else "stop") for n in range(12))
    return Case(labels, rows, right, wrong)


def conversations() -> Case:
    case = texts()
    rows = tuple(replace(row, conversation=Conversation((Turn("user", row.text),))) for row in case.rows)
    return replace(case, labels=LabelSet(("generated_text",), "dialogue"), rows=rows)


def pairs() -> Case:
    rows = tuple(Example(f"x:{n}", f"{SECRET} {n}", f"other {n}", value=float(n)) for n in range(12))
    said = tuple(Similarity(n / 12) for n in range(12))
    return Case(LabelSet(("score",), "similarity"), rows, said, said[::-1])


def rankings() -> Case:
    """Make rows that hold the same passages each, one right and all others wrong, so that any draw ranks as many."""
    texts = [f"{SECRET} passage {n}" for n in range(12)]
    rows = tuple(Example(f"x:{n}", f"{SECRET} query {n}", passages=Passages((text,), tuple(
        other for other in texts if other != text))) for n, text in enumerate(texts))
    said = [Embedding(vector) for vector in np.eye(12, dtype=np.float32)]
    return Case(LabelSet(("relevant",), "retrieval"), rows, tuple(said), (*said[1:], said[0]),
                dict(zip(texts, said, strict=True)))


def orders() -> Case:
    """Put the right passage first, or last, wherever the first search has it."""
    case, labels = rankings(), LabelSet(("relevant",), "re_ranking")
    rows = plugins.load(SEAM, "re_ranking").with_candidates(case.rows, SETTINGS)
    right, wrong = [], []
    for row in rows:
        places = [float(text in row.passages.positive) for text in row.passages.candidates]
        right.append(Reranked.of([Relevance(0.1 + 0.8 * place) for place in places]))
        wrong.append(Reranked.of([Relevance(0.9 - 0.8 * place) for place in places]))
    return Case(labels, case.rows, tuple(right), tuple(wrong))


def relations() -> Case:
    labels = LabelSet(("Met(e1,e2)", "Met(e2,e1)", "Other"), "relation_classification", negative="Other")
    rows = tuple(Example(f"x:{n}", f"Ann {'met' if n % 3 < 2 else 'and'} {SECRET} {n}", labels=(labels.names[n % 3],),
                         arguments=(Argument(0, 3), Argument(8, 8 + len(SECRET)))[:: 1 if n % 3 else -1])
                 for n in range(12))
    said = [Prediction((labels.names[n % 3],), labels.names, np.eye(3, dtype=np.float32)[n % 3] * 0.7 + 0.1)
            for n in range(13)]
    return Case(labels, rows, tuple(said[:12]), tuple(said[1:]))


def documents(problem_type: Any) -> Case:
    rows = tuple(Example(f"x:{n}", f"{SECRET} is told of {n}") for n in range(12))
    right = tuple(Likelihood(0.0, 30 + n, 30 + n) for n in range(12))
    return Case(LabelSet(("token",), problem_type), rows, right,
                tuple(replace(one, log_probability=-2.0 * one.tokens - n, right=3) for n, one in enumerate(right)))


def triples() -> Case:
    labels = LabelSet(("knows", "likes"), "joint_extraction", types=("PER", "LOC"))
    spans = (Span(0, 3, "PER"), Span(4, 4 + len(SECRET), "LOC"))
    rows = tuple(Example(f"x:{n}", f"Ann {SECRET} {n}", spans=spans, triples=(Triple(*spans, labels.names[n % 2]),))
                 for n in range(12))
    found = (Entity("PER", 0.9, "Ann", 0, 3), Entity("LOC", 0.8, SECRET, 4, 4 + len(SECRET)))
    right = [Extraction(found, (FoundRelation(labels.names[n % 2], 0.7, 0, 1),)) for n in range(12)]
    wrong = [Extraction(found[::-1], (FoundRelation(labels.names[n % 2], 0.6, 0, 1),)) for n in range(12)]
    return Case(labels, rows, tuple(right), tuple(wrong))


CASES = {
    "single-label-classification": classes("single_label_classification"),
    "multi-label-classification": classes("multi_label_classification"),
    "token-classification": spans(),
    "question-answering": questions(),
    "regression": numbers(),
    "text-generation": texts(),
    "dialogue": conversations(),
    "similarity": pairs(),
    "retrieval": rankings(),
    "re-ranking": orders(),
    "relation-classification": relations(),
    "masked-language-modelling": documents("masked_language_modelling"),
    "causal-language-modelling": documents("causal_language_modelling"),
    "joint-extraction": triples(),
}
"""A new kind adds its own."""


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load(SEAM, request.param)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_those_of_the_house_are_found_and_others_refused() -> None:
    assert set(CASES) == set(NAMES)  # no kind goes untested for want of rows
    with pytest.raises(UnknownNameError, match="unknown kind 'regresion'.*\n.*did you mean 'regression'"):
        kind_of("regresion")


def test_it_offers_all_that_is_asked(kind: ModuleType) -> None:
    assert kind.__doc__
    for name in Kind.__annotations__:
        assert hasattr(kind, name), name
    for name, asked in inspect.getmembers(Kind, inspect.isfunction):
        if not name.startswith("_"):
            offered = list(inspect.signature(getattr(kind, name)).parameters)
            assert offered == list(inspect.signature(asked).parameters)[1:], name


def test_what_it_names_is_a_metric_of_its_own(kind: ModuleType) -> None:
    assert {kind.MAIN, *kind.PAGE.headline, *kind.PAGE.drawn, *kind.SHORT} <= set(kind.METRICS)
    assert set(kind.METRICS.values()) <= set(get_args(Form))
    assert all(kind.METRICS[metric] == "share" for metric in kind.PAGE.drawn)
    tasks = [plugins.load("tasks", name) for name in plugins.names("tasks")]
    own = [task for task in tasks if kind.__name__.rsplit(".", 1)[-1] in task.PROBLEMS]
    assert all(kind.VALIDATED in task.METRICS for task in own)


def test_its_words_are_its_own_and_said_in_both_languages(kind: ModuleType) -> None:
    others = [plugins.load(SEAM, name) for name in NAMES if plugins.load(SEAM, name) is not kind]
    assert not set(kind.PAGE.words) & {*WORDS, *(key for other in others for key in other.PAGE.words)}
    assert not kind.PAGE.suffix or kind.PAGE.suffix not in {other.PAGE.suffix for other in others}
    for english, chinese in kind.PAGE.words.values():
        assert english
        assert chinese
        assert sorted(set(re.findall(r"\{\w+\}", english))) == sorted(set(re.findall(r"\{\w+\}", chinese)))


def test_every_section_and_metric_of_its_page_has_a_title(kind: ModuleType) -> None:
    for key in (*kind.PAGE.sections, *kind.METRICS):
        assert key in every_word() or key + kind.PAGE.suffix in every_word(), key


def test_right_answers_have_no_error_and_beat_wrong_ones(case: Case) -> None:
    right, wrong = case.scored(case.right), case.scored(case.wrong)
    assert (right.wrong, right.errors) == (0, ())
    assert wrong.wrong == len(case.rows)
    assert len(wrong.errors) == min(len(case.rows), SETTINGS.max_errors)
    assert compare(right, wrong, SETTINGS)[right.main_metric].verdict == "better"
    assert compare(wrong, right, SETTINGS)[right.main_metric].verdict == "worse"
    assert compare(right, right, SETTINGS)[right.main_metric].value == 0
    assert not right.kind.doubts(right)


@pytest.mark.parametrize("seed", range(3))
def test_a_draw_of_rows_scores_as_those_rows_would(case: Case, seed: int) -> None:
    mixed = [case.right[n] if n % 4 else case.wrong[n] for n in range(len(case.rows))]
    drawn = np.sort(np.random.default_rng(seed).integers(0, len(case.rows), len(case.rows)))
    rows, times = np.unique(drawn, return_counts=True)
    outcomes = case.scored(mixed).outcomes
    found = outcomes.metrics(times[None].astype(float), rows)
    plain = replace(case, rows=tuple(case.rows[n] for n in drawn)).scored([mixed[n] for n in drawn]).scores.values
    for name, value in found.items():
        if value.ndim == 1 and name in plain:
            assert value[0] == pytest.approx(plain[name]), name
    assert (len(outcomes), outcomes.right.shape, len(outcomes.keys)) == (len(mixed), (len(mixed),), len(mixed))


def test_other_rows_are_told_from_its_own(case: Case) -> None:
    one = case.scored(case.right)
    turned = replace(case, rows=case.rows[::-1], right=case.right[::-1]).scored(case.right[::-1])
    assert one.outcomes.same_truth(case.scored(case.wrong).outcomes)
    if any(a.label != b.label for a, b in zip(case.right, case.right[::-1], strict=True)):
        with pytest.raises(DataError, match="not evaluated on the same rows"):
            compare(one, turned, SETTINGS)
    for other in CASES.values():
        if type(other.scored(other.right).outcomes) is not type(one.outcomes):
            assert not one.outcomes.same_truth(other.scored(other.right).outcomes)


def test_rows_without_truth_and_missing_answers_are_refused(case: Case) -> None:
    bare = [Example("x:1", "a text", "another")]
    with pytest.raises(DataError, match=r"x:1.*\n  -> "):
        evaluate(Fixed(case.right), bare, case.labels, SETTINGS)
    with pytest.raises(DataError, match="answered"):
        case.scored(case.right[:-1])


def test_its_json_tells_numbers_and_ids_but_no_word(case: Case) -> None:
    said = case.scored(case.wrong).to_dict()
    assert SECRET not in json.dumps(said, allow_nan=False)
    assert all(set(error) > {"id"} for error in said["confident_errors"])
    assert set(case.scored(case.wrong).kind.printed(said).columns) <= set(said["intervals"])


def test_its_baseline_answers_as_a_model_would(case: Case) -> None:
    pytest.importorskip("sklearn")
    dataset = Dataset(case.rows, case.rows, case.rows, case.labels, "")
    scored = evaluate(fit_baseline(dataset, "en"), case.rows, case.labels, SETTINGS)
    assert scored.main_metric in scored.intervals.metrics


@pytest.mark.parametrize("systems", [("tuned",), ("tuned", "untuned", "baseline")])
def test_its_report_and_terminal_show_it(
    case: Case, systems: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    mixed = [case.right[n] if n % 4 else case.wrong[n] for n in range(len(case.rows))]
    scored = {name: case.scored(mixed if name == "tuned" else case.wrong) for name in systems}
    write_report(tmp_path, Report("t", scored, settings=SETTINGS))
    page, kind = (tmp_path / "index.html").read_text(encoding="utf-8"), scored["tuned"].kind
    for name in ("scores", *kind.PAGE.sections, "errors"):
        assert f'<section id="{name}">' in page
    assert not re.search(r"\{[a-z_]+\}", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
    recipe = SimpleNamespace(evaluation=SETTINGS)
    run: Any = SimpleNamespace(scores={"systems": {name: one.to_dict() for name, one in scored.items()}}, warnings=(),
                               recipe=recipe)
    print_scores(run)
    print_evaluation(scored["tuned"])
    printed = capsys.readouterr().out
    assert all(title in printed for title in kind.printed(scored["tuned"].to_dict()).columns.values())
    assert ("baseline" not in systems) or f"baseline ({kind.BASELINE.short})" in printed


def test_rows_that_carry_no_labels_say_so() -> None:
    scored = CASES["regression"].scored(CASES["regression"].right)
    for side in ("truth", "chosen"):
        with pytest.raises(DataError, match="carry no labels"):
            getattr(scored, side)
