"""The most confident errors, with their texts."""

from __future__ import annotations

from luthier.evaluation.evaluate import RowError
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, percent, section

_LONGEST = 600
"""Characters shown of one text."""


def errors(report: Report) -> str:
    """Return the section with the main system's most confident errors, or nothing when none shall be shown."""
    system = report.systems[report.main]
    if system.wrong and not system.errors:
        return ""
    if not system.wrong:
        return section("errors", both("errors_none"), "", report.command("errors"))
    lead = both("errors_lead", shown=count(len(system.errors)), wrong=count(system.wrong))
    body = "".join(_error(error) for error in system.errors)
    return section("errors", lead, f'<div class="card">{body}</div>', report.command("errors"))


def _error(error: RowError) -> str:
    example, prediction = error.example, error.prediction
    cut = f'<span class="chip flag">{both("was_cut")}</span>' if prediction.truncated else ""
    texts = "".join(
        f"<blockquote>{_text(text)}</blockquote>" for text in (example.text, example.text_b) if text is not None
    )
    return (
        f'<article class="error"><div class="what">'
        f'<span><span class="meter"><i style="width:{percent(error.confidence)}"></i></span>'
        f"{percent(error.confidence)}</span><span>{both('said')} {_chips(prediction.labels, 'miss-chip')}</span>"
        f"<span>{both('truth')} {_chips(example.labels or (), 'hit-chip')}</span>{cut}"
        f'<span class="id">{esc(example.id)}</span></div>{texts}</article>'
    )


def _chips(names: tuple[str, ...], css: str) -> str:
    if not names:
        return f'<span class="chip {css}">{both("nothing")}</span>'
    return " ".join(f'<span class="chip {css}">{esc(name)}</span>' for name in names)


def _text(text: str) -> str:
    if len(text) <= _LONGEST:
        return esc(text)
    return f"{esc(text[:_LONGEST])} <small>{both('more_chars', count=count(len(text) - _LONGEST))}</small>"
