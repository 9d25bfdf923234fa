"""What was found, missed and invented of each label or type of entity."""

from __future__ import annotations

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, section, table
from luthier.evaluation.report.words import of_kind


def outcomes(report: Report) -> str:
    """Return the section on the entities of the main system."""
    system = report.systems[report.main]
    body = f'<div class="card">{decisions(system)}</div>'
    return section("outcomes", both("outcomes_lead"), body, report.command("outcomes"))


def decisions(system: Evaluation) -> str:
    """Return found, missed and false alarms of each label, as a table with a bar divided in three."""
    rows = []
    most = max(entry.support + entry.predicted - entry.true_positives for entry in system.scores.classes) or 1
    for entry in system.scores.classes:
        parts = (entry.true_positives, entry.support - entry.true_positives, entry.predicted - entry.true_positives)
        bar, x = "", 0.0
        for css, part in zip(("hit", "even", "miss"), parts, strict=True):
            width = 400 * part / most
            bar += f'<rect class="{css}" x="{x:.1f}" width="{width:.1f}" height="16"/>'
            x += width
        rows.append(
            [
                esc(entry.label),
                f'<svg class="bar" viewBox="0 0 400 16" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>',
                *(count(part) for part in parts),
            ]
        )
    keys = [of_kind(key, system.labels) for key in ("found", "missed", "false_alarm")]
    legend = "".join(
        f'<span class="c-{css}"><i></i><span class="key">{both(key)}</span></span>'
        for css, key in zip(("hit", "even", "miss"), keys, strict=True)
    )
    heads = [both(of_kind("label", system.labels)), "", *map(both, keys)]
    return f'<div class="legend">{legend}</div>' + table(heads, rows, css="classes", text_columns=2)
