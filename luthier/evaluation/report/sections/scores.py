"""The systems side by side: dots with intervals, and the table of all numbers."""

from __future__ import annotations

from luthier.evaluation.kind import Form, Kind
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, cell, count, percent, section, table, tooltip, written
from luthier.evaluation.report.svg import Frame, axes, drawing, nice_ticks, words
from luthier.evaluation.report.words import of_kind, what_is
from luthier.schema import LabelSet

_ROW = 23  # pixels between systems
_GAP = 30  # pixels between metrics


def scores(report: Report) -> str:
    """Return the section that sets the systems side by side."""
    sure = percent(report.settings.confidence, 0)
    lead = both(
        of_kind("scores_lead" if len(report.systems) > 1 else "scores_lead_one", _labels(report)),
        confidence=sure,
        resamples=count(report.settings.bootstrap),
    )
    note = of_kind("macro_note", _labels(report))
    body = ""
    if _kind(report).PAGE.drawn:
        body = f'<div class="card">{_legend(report)}{_dots(report)}</div><h3>{both("all_metrics")}</h3>'
    body += f'{_table(report)}<p class="after">{both(note, confidence=sure)}</p>'
    return section("scores", lead, body, report.command("scores"))


def _labels(report: Report) -> LabelSet:
    return report.systems[report.main].labels


def _kind(report: Report) -> Kind:
    return report.systems[report.main].kind


def _legend(report: Report) -> str:
    entries = []
    for name, system in report.systems.items():
        what = both(what_is(name, system))
        entries.append(f'<span class="c-{name}"><i></i><span class="key">{both(name)}: {what}</span></span>')
    return f'<div class="legend">{"".join(entries)}</div>'


def _dots(report: Report) -> str:
    systems = list(report.systems.values())
    drawn = _kind(report).PAGE.drawn
    pins = [
        pin
        for system in systems
        for metric in drawn
        for pin in (system.intervals.metrics[metric].low, system.intervals.metrics[metric].high)
    ]
    ticks = [
        tick for tick in nice_ticks(max(0.0, 100 * min(pins) - 1), min(100.0, 100 * max(pins) + 1), 8) if tick <= 100
    ]
    group = _ROW * len(systems) + _GAP
    frame = Frame(
        960, group * len(drawn) + 52, (ticks[0], max(ticks[-1], 100 * max(pins))), (0, 1), left=190, right=70, top=0
    )
    parts = [
        axes(frame, x_ticks=ticks, y_ticks=(), x_key="scores_axis_cut" if ticks[0] > 0 else "scores_axis", y_key="")
    ]
    for place, metric in enumerate(drawn):
        parts.append(_group(report, frame, metric, place * group))
    return f'<div class="scroll">{drawing(frame, "".join(parts), title=tooltip("scores"), css="dots")}</div>'


def _group(report: Report, frame: Frame, metric: str, top: float) -> str:
    """Return one metric's rows, a dot with its interval for each system."""
    key = of_kind(metric, _labels(report))
    middle = top + (_ROW * len(report.systems) + _GAP) / 2
    parts = [words(key, frame.left - 18, middle + 4, "strong end")]
    if top:
        parts.append(f'<line class="grid" x1="0" x2="{frame.width}" y1="{top:.1f}" y2="{top:.1f}"/>')
    for row, (name, system) in enumerate(report.systems.items()):
        y = top + _GAP / 2 + (row + 0.5) * _ROW
        interval = system.intervals.metrics[metric]
        low, at, high = (frame.at_x(100 * value) for value in (interval.low, interval.value, interval.high))
        title = f"{tooltip(name)}, {tooltip(key)}: {percent(interval.value)}"
        title += f" [{percent(interval.low)}, {percent(interval.high)}]"
        parts.append(
            f'<g class="c-{name}"><title>{title}</title>'
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="fill" cx="{at:.1f}" cy="{y:.1f}" r="6"/>'
            f'<text class="value-at" x="{max(high, at + 6) + 10:.1f}" y="{y + 4.5:.1f}">'
            f"{percent(interval.value)}</text></g>"
        )
    return "".join(parts)


def _table(report: Report) -> str:
    rows = []
    for metric, form in _kind(report).METRICS.items():
        if not any(metric in system.scores.values for system in report.systems.values()):
            continue
        cells = [both(of_kind(metric, _labels(report)))]
        rows.append(cells + [_cell(report, name, metric, form) for name in report.systems])
    rows.append([both("seconds"), *(f"{system.seconds:,.2f}" for system in report.systems.values())])
    rows.append([both("cut"), *(count(system.truncated) for system in report.systems.values())])
    heads = [both("metric"), *(both(name) for name in report.systems)]
    return f'<div class="card">{table(heads, rows)}</div>'


def _cell(report: Report, name: str, metric: str, form: Form) -> str:
    system = report.systems[name]
    value = system.scores.values.get(metric)
    if value is None:
        return "–"
    interval = system.intervals.metrics.get(metric)
    return written(value, form) if interval is None else cell(interval, form)
