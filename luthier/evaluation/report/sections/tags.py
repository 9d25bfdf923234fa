"""The words by their tags: the table that tutorials print, with what it hides."""

from __future__ import annotations

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, percent, section, table


def tags(report: Report) -> str:
    """Return the section on the tags of words, or nothing where there is no table of them."""
    tokens = report.systems[report.main].scores.tokens
    if tokens is None:
        return ""
    rows = [
        [esc(entry.tag), percent(entry.precision), percent(entry.recall), percent(entry.f1), count(entry.support)]
        for entry in tokens.tags
    ]
    for kind in ("micro", "macro", "weighted"):
        values = [percent(tokens.averages[f"{metric}_{kind}"]) for metric in ("precision", "recall", "f1")]
        rows.append([f"<b>{both(f'average_{kind}')}</b>", *values, count(tokens.words)])
    heads = [both("tag"), both("precision"), both("recall"), both("f1"), both("words")]
    body = f'<div class="card">{table(heads, rows)}</div><p class="after">{both("tags_note")}</p>'
    return section("tags", both("tags_lead", words=count(tokens.words)), body, report.command("tags"))
