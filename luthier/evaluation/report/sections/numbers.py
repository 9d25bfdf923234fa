"""What only reports on numbers show: their scores, and predicted against true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luthier.evaluation.intervals import Difference
from luthier.evaluation.numbers import Numbers
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import MINUS, both, count, percent, section, table, tooltip
from luthier.evaluation.report.svg import Frame, axes, dot, drawing, line, nice_ticks
from luthier.evaluation.report.words import of_kind

_LISTED = ("rmse", "mae", "pearson", "spearman", "r2", "qwk", "accuracy", "mse")
_DOTS = 1500
"""Most rows drawn."""


def amount(value: float, *, signed: bool = False) -> str:
    """Return a number in the data's unit: four digits, with a true minus sign."""
    return f"{value:{'+' if signed else ''}.4g}".replace("-", MINUS)


def number_hero(report: Report, differences: Mapping[str, Mapping[str, Difference]]) -> str:
    """Return the headline with its interval and a verdict against each other system."""
    main = report.systems[report.main]
    interval, sure = main.intervals.metrics[main.main_metric], percent(report.settings.confidence, 0)
    share = amount(interval.value)
    head = both("hero_numbers", share=share, rows=count(main.scores.rows))
    certain = both("hero_sure_numbers", confidence=sure, low=amount(interval.low), high=amount(interval.high),
                   system=report.main)
    verdicts = "".join(_verdict(report, other, metrics) for other, metrics in differences.items())
    return (f'<div class="hero"><p class="hero-text">{head.replace(share, f"<b>{share}</b>")}</p>'
            f'<p class="sure">{certain}</p><div class="verdicts">{verdicts}</div></div>')


def _verdict(report: Report, other: str, metrics: Mapping[str, Difference]) -> str:
    main = report.systems[report.main]
    apart, beside = metrics[main.main_metric], metrics["pearson"]
    css = {"better": "better", "worse": "worse"}.get(apart.verdict, "even")
    sentence = both(f"verdict_{apart.verdict}_numbers", confidence=percent(report.settings.confidence, 0),
                    low=amount(apart.low, signed=True), high=amount(apart.high, signed=True))
    also = both("also_pearson", value=amount(beside.value, signed=True), low=amount(beside.low, signed=True),
                high=amount(beside.high, signed=True))
    against = both("against", other=other, what=of_kind(f"{other}_is", main.labels))
    return (f'<div class="verdict {css}"><b>{both("by_error", value=amount(apart.value, signed=True))}</b>'
            f'{against}<p>{sentence}</p><p class="also">{also}</p></div>')


def number_scores(report: Report) -> str:
    """Return the section that sets the systems side by side."""
    labels = report.systems[report.main].labels
    rows = []
    for metric in _LISTED:
        if metric in report.systems[report.main].scores.values:
            rows.append([both(of_kind(metric, labels)), *(_cell(report, name, metric) for name in report.systems)])
    rows.append([both("seconds"), *(f"{system.seconds:,.2f}" for system in report.systems.values())])
    rows.append([both("cut"), *(count(system.truncated) for system in report.systems.values())])
    heads = [both("metric"), *(both(name) for name in report.systems)]
    lead = both("scores_lead_numbers", confidence=percent(report.settings.confidence, 0),
                resamples=count(report.settings.bootstrap))
    body = f'<div class="card">{table(heads, rows)}</div><p class="after">{both("numbers_note")}</p>'
    return section("scores", lead, body, report.command("scores"))


def _cell(report: Report, name: str, metric: str) -> str:
    interval = report.systems[name].intervals.metrics[metric]
    if metric == "accuracy":
        return f"{percent(interval.value)}<small>[{100 * interval.low:.1f}, {100 * interval.high:.1f}]</small>"
    return f"{amount(interval.value)}<small>[{amount(interval.low)}, {amount(interval.high)}]</small>"


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
