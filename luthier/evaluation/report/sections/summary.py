"""The top of the page: one sentence, the verdicts, the facts, and what to know before relying on it."""

from __future__ import annotations

from collections.abc import Mapping

from luthier.evaluation.intervals import Difference
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, percent, section, signed_points

Differences = Mapping[str, Mapping[str, Difference]]

FEW_ROWS = 200
"""Below this many test rows the page says so."""
THIN_CLASS = 10
"""Below this many test rows a label's own scores are called thin."""


def hero(report: Report, differences: Differences) -> str:
    """Return the headline with its interval, a verdict against each other system and the facts."""
    main = report.systems[report.main]
    interval = main.intervals.metrics["accuracy"]
    share, sure = percent(main.scores.values["accuracy"]), percent(report.settings.confidence, 0)
    head = both("hero_multi" if main.labels.multi_label else "hero", share=share, rows=count(main.scores.rows))
    certain = both(
        "hero_sure", confidence=sure, low=percent(interval.low), high=percent(interval.high), system=report.main
    )
    if not main.wrong:  # the bootstrap would claim 100 % to 100 %
        certain = both("hero_perfect", share=percent(min(1.0, 3 / main.scores.rows)), system=report.main)
    verdicts = "".join(_verdict(report, other, metrics) for other, metrics in differences.items())
    return (
        f'<div class="hero"><p class="hero-text">{head.replace(share, f"<b>{share}</b>")}</p>'
        f'<p class="sure">{certain}</p>'
        f'<div class="verdicts">{verdicts}</div></div>{_facts(report)}'
    )


def _verdict(report: Report, other: str, metrics: Mapping[str, Difference]) -> str:
    difference, f1 = metrics["accuracy"], metrics["f1_macro"]
    css = {"better": "better", "worse": "worse"}.get(difference.verdict, "even")
    sentence = both(
        f"verdict_{difference.verdict}",
        confidence=percent(report.settings.confidence, 0),
        low=signed_points(difference.low),
        high=signed_points(difference.high),
    )
    also = both("also_f1", value=signed_points(f1.value), low=signed_points(f1.low), high=signed_points(f1.high))
    return (
        f'<div class="verdict {css}"><b>{both("points", value=signed_points(difference.value))}</b>'
        f'{both("against", other=other, what=f"{other}_is")}<p>{sentence}</p><p class="also">{also}</p></div>'
    )


def _facts(report: Report) -> str:
    main = report.systems[report.main]
    rate = main.scores.rows / main.seconds if main.seconds > 0 else 0.0
    facts = [
        ("fact_rows", count(main.scores.rows)),
        ("fact_labels", count(len(main.labels))),
        ("fact_wrong", count(main.wrong)),
        ("fact_cut", count(main.truncated)),
    ]
    if rate:
        facts.append(("fact_rate", f"{rate:,.0f}"))
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{value}</b><span>{both(key)}</span></div>" for key, value in facts)
        + "</div>"
    )


def notices(report: Report) -> str:
    """Return what the reader should know before relying on the numbers; never empty."""
    main = report.systems[report.main]
    lines = [("bad", esc(warning)) for warning in report.warnings]
    if main.truncated:
        lines.append(("warn", both("some_cut", count=count(main.truncated), rows=count(main.scores.rows))))
    else:
        lines.append(("good", both("none_cut")))
    if main.scores.rows < FEW_ROWS:
        lines.append(("warn", both("few_rows", rows=count(main.scores.rows))))
    thin = [entry.label for entry in main.scores.classes if entry.support < THIN_CLASS]
    if thin:
        names = ", ".join(thin[:8]) + (" …" if len(thin) > 8 else "")
        lines.append(
            ("warn", both("thin_classes", count=count(len(thin)), classes=count(len(main.labels)), names=names))
        )
    aside = report.data_report.get("contradictory_rows", 0)
    if aside and report.data_report.get("deduplicated", True):
        lines.append(("warn", both("set_aside", count=count(aside))))
    if "baseline" not in report.systems:
        lines.append(("warn", both("no_baseline")))
    items = "".join(f'<li class="{css}">{text}</li>' for css, text in lines)
    return section("notices", "", f'<ul class="notice">{items}</ul>')
