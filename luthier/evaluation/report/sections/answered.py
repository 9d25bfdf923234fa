"""Questions with an answer and without one: how many were answered, and how well."""

from __future__ import annotations

import numpy as np

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, cell, count, percent, section, table


def answered(report: Report) -> str:
    """Return the section on both kinds of questions."""
    system = report.systems[report.main]
    asked, said = system.truth[:, 0], system.chosen[:, 0]
    split = bool(system.scores.parts)
    rows = []
    for key, part, mask in (("with_answer", "answerable", asked), ("without_answer", "unanswerable", ~asked)):
        if not mask.any():
            continue
        names = [f"{metric}_{part}" if split else metric for metric in ("f1", "exact_match")]
        scores = [cell(system.intervals.metrics[name], "share") for name in names]
        got = f"{count(int((mask & said).sum()))}<small>{percent(float(np.mean(said[mask])))}</small>"
        rows.append([both(key), count(int(mask.sum())), got, *scores])
    heads = [both("questions"), both("rows"), both("got_answer"), both("f1_answers"), both("exact_match")]
    body = f'<div class="card">{table(heads, rows)}</div>'
    return section("answered", both("answered_lead"), body, report.command("answered"))
