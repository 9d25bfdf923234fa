"""How the run went: losses and the validation score over the steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, esc, section, tooltip
from luthier.evaluation.report.svg import Frame, axes, dot, drawing, line, nice_ticks
from luthier.evaluation.report.words import of_kind

Points = list[tuple[float, float]]

_MOST = 400  # points kept of a drawn line


def training(report: Report) -> str:
    """Return the section with the loss and the validation score, or nothing when the run left no history."""
    loss = _points(report.history, "step", "loss")
    checks = [
        dict(event) | dict(event.get("metrics") or {}) for event in report.history if event.get("event") == "validation"
    ]
    metric = next((name for name in _metrics(report) if _points(checks, "validation", name)), "")
    valid_loss, valid_score = _points(checks, "validation", "loss"), _points(checks, "validation", metric)
    labels, kind, charts = report.systems[report.main].labels, report.systems[report.main].kind, ""
    if loss:
        charts += _loss_chart(loss, valid_loss)
    if valid_score:
        charts += _score_chart(valid_score, (metric, of_kind(metric, labels)), report.best_step,
                               shares=metric != "loss" and kind.METRICS[kind.MAIN] == "share")
    if not charts:
        return ""
    return section("training", both("training_lead"), f'<div class="pair">{charts}</div>', report.command("history"))


def _metrics(report: Report) -> tuple[str, ...]:
    """Return the metrics that may be drawn, the wanted one first."""
    validation = report.recipe.get("validation")
    chosen = validation.get("metric_for_best_model") if isinstance(validation, Mapping) else None
    main = report.systems[report.main].kind.VALIDATED
    return (str(chosen), main) if chosen else (main,)


def _points(events: Iterable[Mapping[str, Any]], kind: str, field: str) -> Points:
    return [
        (float(event["step"]), float(event[field]))
        for event in events
        if event.get("event") == kind and isinstance(event.get(field), int | float) and math.isfinite(event[field])
    ]


def _thinned(points: Points) -> Points:
    every = max(1, len(points) // _MOST)
    return points[::every] + ([points[-1]] if (len(points) - 1) % every else [])


def _smooth(points: Points) -> Points:
    """Return an exponential moving average over about a twentieth of the run, corrected for its start."""
    keep = 1 - 1 / max(1.0, len(points) / 20)
    total, weight, result = 0.0, 0.0, []
    for x, y in points:
        total, weight = keep * total + (1 - keep) * y, keep * weight + (1 - keep)
        result.append((x, total / weight))
    return result


def _frame(points: Points) -> tuple[Frame, list[float], list[float]]:
    lows, highs = min(y for _, y in points), max(y for _, y in points)
    if highs - lows < 1e-9:
        lows, highs = lows - 0.05, highs + 0.05
    y_ticks = nice_ticks(lows, highs)
    last = max(x for x, _ in points)
    x_ticks = [tick for tick in nice_ticks(0, last) if tick <= last]
    return Frame(470, 330, (0, last), (y_ticks[0], y_ticks[-1])), x_ticks, y_ticks


def _loss_chart(loss: Points, valid: Points) -> str:
    frame, x_ticks, y_ticks = _frame(loss + valid)
    body = axes(frame, x_ticks=x_ticks, y_ticks=y_ticks, x_key="step", y_key="loss")
    body += f'<g class="c-tuned">{line(frame, _thinned(loss), "raw")}{line(frame, _thinned(_smooth(loss)), "")}</g>'
    body += f'<g class="c-baseline">{line(frame, valid, "")}'
    body += "".join(dot(frame, x, y, "fill", radius=4, title=f"{x:.0f}: {y:.4f}") for x, y in valid) + "</g>"
    legend = "".join(
        f'<span class="c-{css}"><i></i><span class="key">{both(key)}</span></span>'
        for css, key, shown in (("tuned", "train_loss", loss), ("baseline", "valid_loss", valid))
        if shown
    )
    return (
        f'<div class="card"><div class="legend">{legend}</div>{drawing(frame, body, title=tooltip("training"))}</div>'
    )


def _score_chart(points: Points, named: tuple[str, str], best: int | None, *, shares: bool) -> str:
    _, key = named
    percents = [(x, 100 * y) if shares else (x, y) for x, y in points]
    frame, x_ticks, y_ticks = _frame(percents)
    name = f"{tooltip(key)}"
    body = axes(frame, x_ticks=x_ticks, y_ticks=y_ticks, x_key="step", y_key=key)
    body += f'<g class="c-baseline">{line(frame, percents, "")}'
    for x, y in percents:
        body += dot(frame, x, y, "fill", radius=4, title=f"{x:.0f}: {y:.2f}")
        if best is not None and x == best:
            body += f'</g><g class="c-tuned">{dot(frame, x, y, "ring", radius=9)}</g><g class="c-baseline">'
    legend = f'<span class="c-baseline"><i></i><span class="key">{both("valid_loss")}: {both(key)}</span></span>'
    return f'<div class="card"><div class="legend">{legend}</div>{drawing(frame, body + "</g>", title=esc(name))}</div>'
