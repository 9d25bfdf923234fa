"""Triples counted with and without the types of their ends, and the entities of each type."""

from __future__ import annotations

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, cell, count, esc, percent, section, table
from luthier.evaluation.triples import entity_scores

_WAYS = {"triples": "micro", "boundaries": "boundaries", "entities": "entities"}
"""Key of the words -> how the metrics' names end."""


def extracted(report: Report) -> str:
    """Return the section on what was counted how, and on the entities."""
    system = report.systems[report.main]
    ways = [[f"<b>{both(f'count_{key}')}</b><small>{both(f'count_{key}_is')}</small>",
             *(cell(system.intervals.metrics[f"{part}_{metric}"], "share") for part in ("precision", "recall", "f1"))]
            for key, metric in _WAYS.items()]
    heads = [both("precision"), both("recall"), both("f1")]
    types = [[esc(entry.label), percent(entry.precision), percent(entry.recall), percent(entry.f1),
              count(entry.support)] for entry in entity_scores(system.outcomes, system.labels)]
    body = (f'<div class="card">{table([both("counted_as"), *heads], ways)}</div><h3>{both("entity_types")}</h3>'
            f'<div class="card">{table([both("entity_type"), *heads, both("fact_entities_all")], types)}</div>')
    return section("extracted", both("extracted_lead"), body, report.command("extracted"))
