"""What is taken for what: the confusion matrix, or with several labels a row what was found, missed and invented."""

from __future__ import annotations

import numpy as np

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, clip, count, esc, percent, section, table, tooltip
from luthier.evaluation.report.sections.outcomes import decisions
from luthier.evaluation.report.svg import words
from luthier.schema import Int64

_NUMBERED = 20
"""Up to this many labels the cells hold their counts."""
_TOP = 12
"""Most frequent confusions listed."""


def confusion(report: Report) -> str:
    """Return the section on confusions of the main system."""
    system = report.systems[report.main]
    if system.scores.confusion is None:
        body, lead = f'<div class="card">{decisions(system)}</div>', both("decisions_lead")
    else:
        names, matrix = system.labels.names, system.scores.confusion
        body = f'<div class="card">{_heat_map(names, matrix)}</div>' + _top(names, matrix)
        lead = both("confusion_lead")
    return section("confusion", lead, body, report.command("confusion"))


def _heat_map(names: tuple[str, ...], matrix: Int64) -> str:
    classes = len(names)
    numbered = classes <= _NUMBERED
    # Few labels get large cells; many get small ones, and names in letters that still fit their row.
    cell = max(10.5, min(92.0, 620 / classes))
    font = min(13.0, cell * 0.92) if not numbered else 12.5
    widest = max(len(clip(name, 24)) + sum(ord(c) > 0x2E80 for c in clip(name, 24)) for name in names)
    margin = 40 + min(190.0, widest * font * 0.56)
    upright = numbered and cell > widest * font * 0.56
    top = 46.0 if upright else margin
    width, height = margin + cell * classes + 12, top + cell * classes + 12
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    parts = [
        words("confusion_answer", margin + cell * classes / 2, 14, "axis mid"),
        words("confusion_true", 13, top + cell * classes / 2, "axis mid",
              turn=f"rotate(-90 13 {top + cell * classes / 2:.1f})"),
    ]
    for c, name in enumerate(names):
        parts.append(_names(name, c, cell=cell, margin=margin, top=top, font=font, upright=upright))
    for row in range(classes):
        for column in range(classes):
            if matrix[row, column] or numbered or row == column:
                box = (margin + column * cell, top + row * cell, cell)
                parts.append(_cell(names, row, column, int(matrix[row, column]), float(shares[row, column]), box=box,
                                   numbered=numbered))
    frame = (
        f'<rect x="{margin:.1f}" y="{top:.1f}" width="{cell * classes:.1f}" height="{cell * classes:.1f}" '
        'fill="none" class="grid"/>'
    )
    shown = f"max-width:{max(420.0, min(width * 1.15, 960.0)):.0f}px"
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="{shown};margin:0 auto" role="img" '
        f'aria-label="{tooltip("confusion")}">{frame}{"".join(parts)}</svg>'
    )


def _names(name: str, c: int, *, cell: float, margin: float, top: float, font: float, upright: bool) -> str:
    """Return the label of a row and of a column."""
    text, middle = esc(clip(name, 24)), (c + 0.5) * cell
    x, y = margin + middle, top - 8
    if upright:
        column = f'<text class="mid" style="font-size:{font:.1f}px" x="{x:.1f}" y="{y:.1f}">{text}'
    else:
        turned = f"translate({x + font * 0.35:.1f} {y:.1f}) rotate(-90)"
        column = f'<text style="font-size:{font:.1f}px" transform="{turned}">{text}'
    return (
        f'<text class="end" style="font-size:{font:.1f}px" x="{margin - 8:.1f}" '
        f'y="{top + middle + font * 0.35:.1f}">{text}'
        f"<title>{esc(name)}</title></text>{column}<title>{esc(name)}</title></text>"
    )


def _cell(
    names: tuple[str, ...],
    row: int,
    column: int,
    value: int,
    share: float,
    *,
    box: tuple[float, float, float],
    numbered: bool,
) -> str:
    x, y, size = box
    right = row == column
    # Errors are rarer than hits: their square root brings out the first few percent.
    depth = 0.06 + 0.86 * share if right else (0.08 + 0.84 * share**0.5 if value else 0.0)
    inset = 1.5 if numbered else 0.4
    label = ""
    if numbered:
        css = "value on" if depth > 0.5 else "value"
        size_css = ' style="font-size:11px"' if size < 40 else ""
        label = (
            f'<text class="{css}"{size_css} x="{x + size / 2:.1f}" y="{y + size / 2 + 4.5:.1f}">{value}</text>'
            if value or right
            else ""
        )
        if size >= 80 and value:
            label += (
                f'<text class="{css}" style="font-size:11px;opacity:.8" x="{x + size / 2:.1f}" '
                f'y="{y + size / 2 + 21:.1f}">{percent(share)}</text>'
            )
    title = f"{names[row]} → {names[column]}: {value} ({percent(share)})"
    return (
        f'<g><title>{esc(title)}</title><rect class="{"hit" if right else "miss"}" fill-opacity="{depth:.2f}" '
        f'x="{x + inset:.1f}" y="{y + inset:.1f}" width="{size - 2 * inset:.1f}" height="{size - 2 * inset:.1f}" '
        f'rx="{3 if numbered else 0.5}"/>{label}</g>'
    )


def _top(names: tuple[str, ...], matrix: Int64) -> str:
    """Return the list of the most frequent confusions, where two labels leave room for more than one."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return f'<p class="lead">{both("confusions_none")}</p>'
    if len(names) <= 2:
        return ""
    order = np.argsort(-wrong, axis=None, kind="stable")[:_TOP]
    rows = []
    for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[row, column]:
            rows.append(
                [
                    esc(names[row]),
                    esc(names[column]),
                    count(int(wrong[row, column])),
                    percent(float(wrong[row, column] / matrix[row].sum())),
                ]
            )
    heads = [both("column_truth"), both("column_said"), both("rows"), both("confusions_share")]
    return f'<h3>{both("confusions_top")}</h3><div class="card">{table(heads, rows, text_columns=2)}</div>'
