"""Entities counted by laxer rules than the strict one."""

from __future__ import annotations

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, cell, section, table

_WAYS = {"strict": "micro", "exact": "exact", "type": "type", "partial": "partial"}
"""Key of the words -> how the metrics' names end."""


def counting(report: Report) -> str:
    """Return the section on the other ways of counting."""
    system = report.systems[report.main]
    others = [name for name in report.systems if name != report.main]
    heads = [both("way"), both("precision"), both("recall"), both("f1")]
    heads += [both("f1_of", system=name) for name in others]
    rows = []
    for key, metric in _WAYS.items():
        what = f"<b>{both(f'way_{key}')}</b><small>{both(f'way_{key}_is')}</small>"
        values = [cell(system.intervals.metrics[f"{part}_{metric}"], "share") for part in ("precision", "recall", "f1")]
        rows.append([what, *values,
                     *(cell(report.systems[name].intervals.metrics[f"f1_{metric}"], "share") for name in others)])
    body = f'<div class="card">{table(heads, rows)}</div><p class="after">{both("ways_note")}</p>'
    return section("counting", both("counting_lead"), body, report.command("counting"))
