"""Each label's F1 with its interval, weakest first."""

from __future__ import annotations

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.intervals import Interval
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, percent, section, table
from luthier.evaluation.report.words import of_kind
from luthier.evaluation.scores import ClassScores

_SHOWN = 20
"""Up to one and a half times this many labels are listed at once; beyond, the strongest fold away."""


def classes(report: Report) -> str:
    """Return the section with a bar for each label, or nothing where there are none."""
    system = report.systems[report.main]
    if not system.scores.classes:
        return ""
    baseline = report.systems.get("baseline") if report.main != "baseline" else None
    order = sorted(range(len(system.labels)), key=lambda c: (system.scores.classes[c].f1, c))
    rows = [_row(system, baseline, report.main, c) for c in order]
    labels = system.labels
    heads = [both(of_kind("label", labels)), both("f1"), "", both("precision"), both("recall"),
             both(of_kind("rows", labels))]
    split = len(rows) if len(rows) <= _SHOWN * 3 // 2 else _SHOWN
    body = _legend() if baseline else ""
    body += table(heads, rows[:split], css="classes", text_columns=2)
    if rows[split:]:
        body += (
            f"<details><summary>{both(of_kind('show_all', labels), count=len(rows) - split)}</summary>"
            f"{table(heads, rows[split:], css='classes', text_columns=2)}</details>"
        )
    lead = both(of_kind("classes_lead", labels), confidence=percent(report.settings.confidence, 0))
    title = of_kind("classes", labels)
    return section("classes", lead, f'<div class="card">{body}</div>', report.command("classes"), title=title)


def _legend() -> str:
    key = f'<span class="key">{both("baseline_tick")}</span>'
    return f'<div class="legend"><span class="c-baseline"><i></i>{key}</span></div>'


def _row(system: Evaluation, baseline: Evaluation | None, name: str, c: int) -> list[str]:
    entry, interval = system.scores.classes[c], system.intervals.class_f1[c]
    mark = baseline.scores.classes[c].f1 if baseline else None
    return [
        esc(entry.label),
        _bar(entry, interval, mark, name),
        f"{percent(entry.f1)}<small>[{100 * interval.low:.1f}, {100 * interval.high:.1f}]</small>",
        percent(entry.precision),
        percent(entry.recall),
        count(entry.support),
    ]


def _bar(entry: ClassScores, interval: Interval, mark: float | None, name: str) -> str:
    """Return the F1 as a bar over the full width 0 to 1, its interval as a line, the baseline's F1 as a tick."""

    def at(share: float) -> str:
        return f"{400 * share:.1f}"

    tick = (
        ""
        if mark is None
        else (
            f'<line class="mark" x1="{at(mark)}" x2="{at(mark)}" y1="0" y2="16"><title>{percent(mark)}</title></line>'
        )
    )
    # The view box is stretched to the column, so whiskers keep their width through non-scaling strokes in the sheet.
    return (
        f'<svg class="bar c-{name}" viewBox="0 0 400 16" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="400" height="16" rx="2"/>'
        f'<rect class="fill" width="{at(entry.f1)}" height="16" opacity=".55"/>'
        f'<line class="span" x1="{at(interval.low)}" x2="{at(interval.high)}" y1="8" y2="8"/>{tick}</svg>'
    )
