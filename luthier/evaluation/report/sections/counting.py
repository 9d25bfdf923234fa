"""Entities counted by laxer rules than the strict one."""

from __future__ import annotations

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, percent, section, table

_WAYS = {"strict": "micro", "exact": "exact", "type": "type", "partial": "partial"}
"""Key of the words -> how the metrics' names end."""


def counting(report: Report) -> str:
    """Return the section on the other ways of counting, or nothing where rows are classified."""
    system = report.systems[report.main]
    if not system.labels.of_spans:
        return ""
    others = [name for name in report.systems if name != report.main]
    heads = [both("way"), both("precision"), both("recall"), both("f1")]
    heads += [both("f1_of", system=name) for name in others]
    rows = []
    for key, metric in _WAYS.items():
        what = f"<b>{both(f'way_{key}')}</b><small>{both(f'way_{key}_is')}</small>"
        values = [_cell(system, f"{part}_{metric}") for part in ("precision", "recall", "f1")]
        rows.append([what, *values, *(_cell(report.systems[name], f"f1_{metric}") for name in others)])
    body = f'<div class="card">{table(heads, rows)}</div><p class="after">{both("ways_note")}</p>'
    return section("counting", both("counting_lead"), body, report.command("counting"))


def _cell(system: Evaluation, metric: str) -> str:
    interval = system.intervals.metrics[metric]
    return f"{percent(interval.value)}<small>[{100 * interval.low:.1f}, {100 * interval.high:.1f}]</small>"
