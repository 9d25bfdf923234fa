"""Texts that are written for other texts: translations, summaries, corrections, replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Form, Judge, Named, Page, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing
from luthier.evaluation.plain_writing import fit_plain_writer
from luthier.evaluation.report.html import both, count, percent
from luthier.evaluation.report.sections.error_parts import shortened
from luthier.evaluation.report.text_words import TEXT_WORDS
from luthier.evaluation.scores import RowError
from luthier.evaluation.texts import BLEU, CHRF, EXACT, judge_texts, targets_of
from luthier.evaluation.tfidf import make_vectorizer
from luthier.schema import Dataset, Example, Generated, LabelSet
from luthier.text.said import Said

MAIN, MAIN_TITLE = CHRF, "chrF"
VALIDATED = "accuracy"
METRICS: dict[str, Form] = {
    CHRF: "share", BLEU: "share", "rouge1": "share", "rouge2": "share", "rougeL": "share", "rougeLsum": "share",
    EXACT: "share",
}
LOWER_IS_BETTER = ()
SHORT = (CHRF, BLEU, "rougeL", EXACT)
BY_DISTANCE = True
BASELINE = Named("plain", "the text itself, its first sentence or three, or the target of the nearest training text")
PAGE = Page(headline=(CHRF, BLEU), drawn=(CHRF, BLEU, "rougeL"), sections={}, suffix="_texts", words=TEXT_WORDS,
            labelled=False)

_COLUMNS = {CHRF: "chrF", BLEU: "BLEU", "rougeL": "ROUGE-L"}


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what holds ``Generated`` texts against the right ones of the rows."""
    targets_of(examples)
    return lambda answers: judge_texts(answers, examples)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Fit the plain writer."""
    return fit_plain_writer(dataset, lambda rows: make_vectorizer(language, rows=rows))


def told(error: RowError) -> dict[str, Any]:
    """Return how far off the text is, 1 less its chrF, how long it and the right ones are, and what ended it."""
    written = _written(error)
    return {"distance": round(error.confidence, 6), "length": len(written.generated_text),
            "right_lengths": [len(text) for text in error.example.targets or ()], "finish": written.finish_reason}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that writes nothing, or the same for every text, and of texts that the length limit ended."""
    texts = [answer.generated_text.strip() for answer in system.predictions if isinstance(answer, Generated)]
    found = list[str]()
    if not any(texts):
        found.append(learned_nothing("writes nothing for any test row",
                                     "对所有测试行都没有写出任何内容"))
    elif len(texts) > 1 and len(set(texts)) == 1 and system.wrong:
        found.append(learned_nothing("writes one and the same text for every test row",
                                     "对每个测试行都写出同一段文本"))
    unended = _unended(system)
    if 2 * unended > len(texts):
        found.append(Said(f"{unended} of {len(texts)} test texts were ended by the length limit, not by the model: "
                          "raise max_new_tokens, or tune longer",
                          f"{len(texts)} 条测试文本中有 {unended} 条因长度上限而结束，而不是由模型结束："
                          "请增大 max_new_tokens，或延长微调"))
    return found


def printed(scores: Mapping[str, Any]) -> Printed:  # noqa: ARG001 - as all kinds are asked
    """Return chrF, BLEU and ROUGE-L, and of one system alone the other scores."""
    return Printed(_COLUMNS, {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeLsum": "ROUGE-Lsum",
                              EXACT: "equal to a right text"})


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many texts differ from the right ones, and how many the length limit ended."""
    return [("fact_wrong", count(system.wrong)), ("fact_unended", count(_unended(system)))]


def shown(error: RowError) -> ShownError:
    """Return the row's chrF, and the source, what was written and what is right as quotations."""
    example, written = error.example, _written(error).generated_text
    right = "".join(_quotation("right_text", text) for text in example.targets or ())
    return ShownError(both("by_chrf", value=percent(1 - error.confidence)), "",
                      f'{_quotation("written_text", written)}{right}'
                      + "".join(_quotation("source_text", text) for text in (example.text, example.text_b) if text))


def _quotation(key: str, text: str) -> str:
    return f'<blockquote dir="auto"><small>{both(key)}</small> {shortened(text)}</blockquote>'


def _unended(system: Evaluation) -> int:
    return sum(isinstance(answer, Generated) and answer.finish_reason == "length" for answer in system.predictions)


def _written(error: RowError) -> Generated:
    assert isinstance(error.prediction, Generated)  # noqa: S101 - judged as such
    return error.prediction
