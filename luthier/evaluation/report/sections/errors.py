"""The most confident errors, or the largest, with their texts."""

from __future__ import annotations

from luthier.evaluation.kind import Kind
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, esc, section
from luthier.evaluation.report.sections.marked import legend
from luthier.evaluation.report.words import of_kind
from luthier.evaluation.scores import RowError


def errors(report: Report) -> str:
    """Return the section with errors of the main system, or nothing when none shall be shown."""
    system = report.systems[report.main]
    listed = system.scores.rows if system.kind.BY_DISTANCE else system.wrong
    if listed and not system.errors:
        return ""
    if not listed:
        return section("errors", both("errors_none"), "", report.command("errors"))
    lead = both(of_kind("errors_lead", system.labels), shown=count(len(system.errors)), wrong=count(system.wrong))
    body = legend() if system.kind.PAGE.marked else ""
    body += "".join(_error(error, system.kind) for error in system.errors)
    title = of_kind("errors", system.labels)
    return section("errors", lead, f'<div class="card">{body}</div>', report.command("errors"), title=title)


def _error(error: RowError, kind: Kind) -> str:
    shown = kind.shown(error)
    cut = f'<span class="chip flag">{both("was_cut")}</span>' if error.prediction.truncated else ""
    return (
        f'<article class="error"><div class="what"><span>{shown.sure}</span>{shown.what}{cut}'
        f'<span class="id">{esc(error.example.id)}</span></div>{shown.texts}</article>'
    )
