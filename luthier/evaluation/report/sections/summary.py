"""The top of the page: one sentence, the verdicts, the facts, and what to know before relying on it."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.evaluation.intervals import Difference
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, bracket, count, in_both, percent, section, signed, written
from luthier.evaluation.report.words import of_kind, what_is

Differences = Mapping[str, Mapping[str, Difference]]

FEW_ROWS = 200
"""Below this many test rows the page says so."""
THIN_CLASS = 10
"""Below this many test rows a label's own scores are called thin."""
_PLACE = "\u2063"
"""Stands in the headline where its number is put in bold; no language writes it."""


def hero(report: Report, differences: Differences) -> str:
    """Return the headline with its interval, a verdict against each other system and the facts."""
    main = report.systems[report.main]
    metric = main.kind.PAGE.headline[0]
    interval, form = main.intervals.metrics[metric], main.kind.METRICS[metric]
    share, sure = written(interval.value, form), percent(report.settings.confidence, 0)
    # Without an error the bootstrap would claim 100 % to 100 %.
    width = f" {bracket(interval, form)}" if main.wrong else ""
    head = both(of_kind("hero", main.labels), share=_PLACE, rows=count(main.scores.rows), interval=width)
    certain = both(of_kind("hero_sure", main.labels), confidence=sure, low=written(interval.low, form),
                   high=written(interval.high, form), system=report.main)
    if not main.wrong and form == "share":
        certain = both("hero_perfect", share=percent(min(1.0, 3 / main.scores.rows)), system=report.main)
    verdicts = "".join(_verdict(report, other, metrics) for other, metrics in differences.items())
    return (
        f'<div class="hero"><p class="hero-text">{head.replace(_PLACE, f"<b>{share}</b>")}</p>'
        f'<p class="sure">{certain}</p>'
        f'<div class="verdicts">{verdicts}</div></div>{_facts(report)}'
    )


def _verdict(report: Report, other: str, metrics: Mapping[str, Difference]) -> str:
    main = report.systems[report.main]
    labels, names = main.labels, main.kind.PAGE.headline
    (difference, form), (beside, its) = ((metrics[name], main.kind.METRICS[name]) for name in names)
    css = {"better": "better", "worse": "worse"}.get(difference.verdict, "even")
    sentence = both(
        of_kind(f"verdict_{difference.verdict}", labels),
        confidence=percent(report.settings.confidence, 0),
        low=signed(difference.low, form),
        high=signed(difference.high, form),
    )
    also = both(of_kind("also_f1", labels), value=signed(beside.value, its), low=signed(beside.low, its),
                high=signed(beside.high, its))
    against = both("against", other=other, what=what_is(other, report.systems[other]))
    points = both(of_kind("points", labels), value=signed(difference.value, form))
    return (
        f'<div class="verdict {css}"><b>{points}</b>'
        f'{against}<p>{sentence}</p><p class="also">{also}</p></div>'
    )


def _facts(report: Report) -> str:
    main = report.systems[report.main]
    rate = main.scores.rows / main.seconds if main.seconds > 0 else 0.0
    facts = [("fact_rows", count(main.scores.rows)), *main.kind.facts(main), ("fact_cut", count(main.truncated))]
    if rate:
        facts.append(("fact_rate", f"{rate:,.0f}"))
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{value}</b><span>{both(of_kind(key, main.labels))}</span></div>" for key, value in facts)
        + "</div>"
    )


def notices(report: Report) -> str:
    """Return what the reader should know before relying on the numbers; never empty."""
    main = report.systems[report.main]
    lines = [("bad", in_both(warning)) for warning in report.warnings]
    if main.truncated:
        lines.append(("warn", both("some_cut", count=count(main.truncated), rows=count(main.scores.rows))))
    else:
        lines.append(("good", both("none_cut")))
    if main.scores.rows < FEW_ROWS:
        lines.append(("warn", both("few_rows", rows=count(main.scores.rows))))
    thin = [entry.label for entry in main.scores.classes if entry.support < THIN_CLASS]
    if thin:
        names = ", ".join(thin[:8]) + (" …" if len(thin) > 8 else "")
        key = of_kind("thin_classes", main.labels)
        lines.append(("warn", both(key, count=count(len(thin)), classes=count(len(main.labels)), names=names)))
    aside = report.data_report.get("contradictory_rows", 0)
    if aside and report.data_report.get("deduplicated", True):
        lines.append(("warn", both(of_kind("set_aside", main.labels), count=count(aside))))
    if "baseline" not in report.systems:
        lines.append(("warn", both(of_kind("no_baseline", main.labels))))
    items = "".join(f'<li class="{css}">{text}</li>' for css, text in lines)
    return section("notices", "", f'<ul class="notice">{items}</ul>')
