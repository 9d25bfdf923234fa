"""How far down right passages stand."""

from __future__ import annotations

import numpy as np

from luthier.evaluation.rankings import Ranking
from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, count, percent, section, table

_WITHIN = (1, 3, 10, 100)


def depth(report: Report) -> str:
    """Return the section that counts the queries with a right passage among the first ones, system by system."""
    names = list(report.systems)
    ranks = [np.array([one.rank for one in report.systems[name].predictions if isinstance(one, Ranking)])
             for name in names]
    rows = [[both("among", k=count(k)), *(_share(own, k) for own in ranks)] for k in _WITHIN]
    body = table([both("ranked"), *map(both, names)], rows)
    return section("depth", both("depth_lead"), f'<div class="card">{body}</div>', report.command("scores"))


def _share(ranks: np.ndarray[tuple[int], np.dtype[np.int64]], k: int) -> str:
    near = ranks <= k
    return f"{count(int(near.sum()))}<small>{percent(float(near.mean()))}</small>"
