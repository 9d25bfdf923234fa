"""What only reports on numbers show: predicted against true."""

from __future__ import annotations

import numpy as np

from luthier.evaluation.numbers import Numbers
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import amount, both, count, section, tooltip
from luthier.evaluation.report.svg import Frame, axes, dot, drawing, line, nice_ticks

_DOTS = 1500
"""Most rows drawn."""


def scatter(report: Report) -> str:
    """Return the section with a dot for each row, predicted against true; nothing where there are no numbers."""
    found = report.systems[report.main].outcomes
    if not isinstance(found, Numbers):
        return ""
    rows = np.unique(np.linspace(0, len(found) - 1, min(_DOTS, len(found))).round().astype(int))
    every = np.concatenate([found.true, found.given])
    ticks = nice_ticks(float(every.min()), float(every.max()))
    ends = (ticks[0], ticks[-1])
    frame = Frame(560, 520, ends, ends, left=64)
    body = axes(frame, x_ticks=ticks, y_ticks=ticks, x_key="true_value", y_key="given_value")
    body += line(frame, ((ends[0], ends[0]), (ends[1], ends[1])), "guide")
    dots = "".join(dot(frame, x, y, "fill", radius=3, title=f"{amount(x)} → {amount(y)}")
                   for x, y in zip(found.true[rows].tolist(), found.given[rows].tolist(), strict=True))
    chart = drawing(frame, f'{body}<g class="c-{report.main}" opacity=".6">{dots}</g>', title=tooltip("scatter"))
    lead = both("scatter_lead", shown=count(len(rows)), rows=count(len(found)))
    return section("scatter", lead, f'<div class="card">{chart}</div>', report.command("scores"))
