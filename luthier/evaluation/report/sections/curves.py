"""ROC and precision-recall curves: every system in bold, the labels of the main one behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from luthier.evaluation.curves import Curve, precision_recall_curve, roc_curve, thin
from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, section, tooltip
from luthier.evaluation.report.svg import Frame, axes, drawing, line
from luthier.schema import Bool

CurveOf = Callable[[npt.NDArray[Any], Bool], Curve | None]

_TICKS = (0, 0.25, 0.5, 0.75, 1)


def curves(report: Report) -> str:
    """Return the section with both curves, or nothing without probabilities."""
    main = report.systems[report.main]
    if main.probabilities is None:
        return ""
    binary = len(main.labels) == 2 and not main.labels.multi_label
    lead = (
        both("curves_lead_binary", label=main.labels.names[1])
        if binary
        else both("curves_lead_many", system=report.main)
    )
    left = _chart(report, "roc", roc_curve, ("false_positive_rate", "true_positive_rate"), binary=binary)
    right = _chart(report, "pr", precision_recall_curve, ("recall", "precision"), binary=binary)
    if not left and not right:
        return ""
    return section("curves", lead, f'<div class="pair">{left}{right}</div>', report.command("curves"))


def _chart(report: Report, key: str, curve_of: CurveOf, axis_keys: tuple[str, str], *, binary: bool) -> str:
    frame = Frame(470, 400, (0, 1), (0, 1))
    parts = [axes(frame, x_ticks=_TICKS, y_ticks=_TICKS, x_key=axis_keys[0], y_key=axis_keys[1])]
    if key == "roc":
        parts.append(line(frame, ((0, 0), (1, 1)), "guide"))
    main = report.systems[report.main]
    if not binary and main.probabilities is not None:
        truth = main.truth
        for c, name in enumerate(main.labels.names):
            single = curve_of(main.probabilities[:, c], truth[:, c])
            if single is not None:
                kept = thin(single, 50)
                parts.append(line(frame, _drawn(kept, key), "thin", title=f"{name}: {single.area:.3f}"))
    legend: list[str] = []
    for name, system in reversed(list(report.systems.items())):
        curve = _pooled(system, curve_of, binary=binary)
        if curve is None:
            continue
        kept = thin(curve)
        parts.append(f'<g class="c-{name}">{line(frame, _drawn(kept, key), "", title=tooltip(name))}</g>')
        legend.insert(
            0,
            f'<span class="c-{name}"><i></i>'
            f'<span class="key">{both(name)} · {both("area")} {curve.area:.3f}</span></span>',
        )
    if not legend:
        return ""
    return (
        f'<div class="card"><h3>{both(key)}</h3><div class="legend">{"".join(legend)}</div>'
        f"{drawing(frame, ''.join(parts), title=tooltip(key))}</div>"
    )


def _drawn(curve: Curve, key: str) -> list[tuple[float, float]]:
    """Return the points to draw; precision at no recall is mere convention, so the first real one is carried back."""
    points = [(float(x), float(y)) for x, y in zip(curve.x, curve.y, strict=True)]
    return points if key == "roc" else [(0.0, points[1][1]), *points[1:]]


def _pooled(system: Evaluation, curve_of: CurveOf, *, binary: bool) -> Curve | None:
    """Return the second label's curve of two, or the curve of all labels' decisions pooled."""
    if system.probabilities is None:
        return None
    if binary:
        return curve_of(system.probabilities[:, 1], system.truth[:, 1])
    return curve_of(system.probabilities.reshape(-1), system.truth.reshape(-1))  # (N, C) -> (N * C,)
