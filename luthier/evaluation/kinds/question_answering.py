"""Questions that are answered with a stretch of their context, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.answers import EXACT, F1, gold_texts, judge_answers
from luthier.evaluation.best_sentence import BestSentence
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing
from luthier.evaluation.report.answer_words import ANSWER_WORDS
from luthier.evaluation.report.html import count
from luthier.evaluation.report.sections.answered import answered
from luthier.evaluation.report.sections.error_parts import LONGEST, meter, said_and_true, shortened
from luthier.evaluation.report.sections.marked import marked
from luthier.evaluation.scores import RowError
from luthier.schema import ANSWERED, Dataset, Entity, Example, FoundAnswer, LabelSet

MAIN, MAIN_TITLE = F1, "answer F1"
VALIDATED = MAIN
METRICS: dict[str, Form] = {
    F1: "share", EXACT: "share", "f1_answerable": "share", "exact_match_answerable": "share",
    "f1_unanswerable": "share",
}
LOWER_IS_BETTER = ()
SHORT = (F1, EXACT)
BY_DISTANCE = False
BASELINE = Named("best sentence", "the sentence that shares most words with the question")
PAGE = Page(headline=(F1, EXACT), drawn=(F1, EXACT), sections={"answered": answered}, suffix="_answers",
            words=ANSWER_WORDS, labelled=False, marked=True)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what holds ``FoundAnswer``s against the right answers of the questions."""
    gold_texts(examples)
    return lambda answers: judge_answers(answers, examples)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Answer with a sentence of the context, for which nothing is fitted."""
    return BestSentence()


def told(error: RowError) -> dict[str, Any]:
    """Return where the right answers and the given one stand, and how long they are."""
    found = _found(error)
    return {
        "answers": [{"start": one.start, "length": len(one.text)} for one in error.example.answers or ()],
        "predicted": {"start": found.start, "length": len(found.answer), "score": round(found.score, 6)},
        "confidence": round(error.confidence, 6),
    }


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that never answers."""
    return [] if system.chosen.any() else [learned_nothing("answers no test question",
                                                           "没有回答任何测试问题")]


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return F1 and exact match, and of one system those of questions with an answer and without one."""
    parts = scores.get("parts", {}).items()
    return Printed({F1: "F1", EXACT: "exact match"},
                   {f"{F1}_{part}": f"F1 of {rows} {part} questions" for part, rows in parts})


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many questions have no answer, and how many were not matched exactly."""
    return [("fact_unanswerable", count(system.scores.parts.get("unanswerable", 0))),
            ("fact_wrong", count(system.wrong))]


def shown(error: RowError) -> ShownError:
    """Return what was answered against what is right, and the question over its context with both marked."""
    gold, found = error.example.answers or (), _found(error)
    what = said_and_true((found.answer,) if found.answer else (), [one.text for one in gold], "no_answer")
    given = (Entity(ANSWERED, found.score, found.answer, found.start, found.end),) if found.answer else ()
    spans = [span for one in gold if (span := one.span) is not None]
    context = marked(error.example.text_b or "", spans, given, LONGEST)
    return ShownError(meter(error.confidence), what,
                      f'<blockquote dir="auto">{shortened(error.example.text)}</blockquote>'
                      f'<blockquote class="marked" dir="auto">{context}</blockquote>')


def _found(error: RowError) -> FoundAnswer:
    assert isinstance(error.prediction, FoundAnswer)  # noqa: S101 - judged as such
    return error.prediction
