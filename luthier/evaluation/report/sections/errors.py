"""The most confident errors, with their texts."""

from __future__ import annotations

from luthier.evaluation.evaluate import RowError
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, percent, section
from luthier.evaluation.report.sections.marked import legend, marked
from luthier.evaluation.report.sections.numbers import amount
from luthier.evaluation.report.words import of_kind
from luthier.schema import ANSWERED, Entities, Entity, Estimate, FoundAnswer, Prediction

_LONGEST = 600
"""Characters shown of one text."""


def errors(report: Report) -> str:
    """Return the section with the main system's most confident errors, or nothing when none shall be shown."""
    system = report.systems[report.main]
    wrong = system.outcomes.right.size if system.labels.of_numbers else system.wrong
    if wrong and not system.errors:
        return ""
    if not wrong:
        return section("errors", both("errors_none"), "", report.command("errors"))
    lead = both(of_kind("errors_lead", system.labels), shown=count(len(system.errors)), wrong=count(system.wrong))
    body = legend() if system.labels.per_token else ""
    body += "".join(_error(error) for error in system.errors)
    title = of_kind("errors", system.labels)
    return section("errors", lead, f'<div class="card">{body}</div>', report.command("errors"), title=title)


def _error(error: RowError) -> str:
    cut = f'<span class="chip flag">{both("was_cut")}</span>' if error.prediction.truncated else ""
    if isinstance(error.prediction, Entities):
        what, texts = _spans(error, error.prediction)
    elif isinstance(error.prediction, FoundAnswer):
        what, texts = _answer(error, error.prediction)
    else:
        what, texts = _labels(error)
    sure = both("by_error", value=amount(error.confidence)) if isinstance(error.prediction, Estimate) else (
        f'<span class="meter"><i style="width:{percent(error.confidence)}"></i></span>{percent(error.confidence)}'
        if error.confidence or not isinstance(error.prediction, Entities)
        else both("only_missed")
    )
    return (
        f'<article class="error"><div class="what"><span>{sure}</span>{what}{cut}'
        f'<span class="id">{esc(error.example.id)}</span></div>{texts}</article>'
    )


def _labels(error: RowError) -> tuple[str, str]:
    """Return what a classifier said against what is labelled, and the text or the pair of texts."""
    example = error.example
    said = error.prediction.labels if isinstance(error.prediction, Prediction) else (error.prediction.label,)
    truth = example.labels or ()
    if isinstance(error.prediction, Estimate):
        said, truth = (amount(error.prediction.score),), (amount(example.value or 0.0),)
    what = (
        f"<span>{both('said')} {_chips(said, 'miss-chip')}</span>"
        f"<span>{both('truth')} {_chips(truth, 'hit-chip')}</span>"
    )
    texts = (text for text in (example.text, example.text_b) if text is not None)
    return what, "".join(f"<blockquote>{_text(text)}</blockquote>" for text in texts)


def _spans(error: RowError, answer: Entities) -> tuple[str, str]:
    """Return how many entities were missed and too many, and the text with all of them marked."""
    true, found = set(error.example.spans or ()), {one.span for one in answer.entities}
    counts = (("fact_missed", len(true - found)), ("fact_extra", len(found - true)))
    what = "".join(f"<span>{both(key)} {count(number)}</span>" for key, number in counts if number)
    text = marked(error.example.text, true, answer.entities, _LONGEST)
    return what, f'<blockquote class="marked" dir="auto">{text}</blockquote>'


def _answer(error: RowError, answer: FoundAnswer) -> tuple[str, str]:
    """Return what was answered against what is right, and the question over its context with both marked."""
    gold = error.example.answers or ()
    said = (answer.answer,) if answer.answer else ()
    what = (f"<span>{both('said')} {_chips(said, 'miss-chip', 'no_answer')}</span>"
            f"<span>{both('truth')} {_chips(tuple(one.text for one in gold), 'hit-chip', 'no_answer')}</span>")
    found = (Entity(ANSWERED, answer.score, answer.answer, answer.start, answer.end),) if answer.answer else ()
    spans = [span for one in gold if (span := one.span) is not None]
    context = marked(error.example.text_b or "", spans, found, _LONGEST)
    return what, (f'<blockquote dir="auto">{_text(error.example.text)}</blockquote>'
                  f'<blockquote class="marked" dir="auto">{context}</blockquote>')


def _chips(names: tuple[str, ...], css: str, nothing: str = "nothing") -> str:
    if not names:
        return f'<span class="chip {css}">{both(nothing)}</span>'
    return " ".join(f'<span class="chip {css}">{esc(name)}</span>' for name in names)


def _text(text: str) -> str:
    if len(text) <= _LONGEST:
        return esc(text)
    return f"{esc(text[:_LONGEST])} <small>{both('more_chars', count=count(len(text) - _LONGEST))}</small>"
