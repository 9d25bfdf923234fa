"""All tasks in one run: ``python -m benchmarks.accuracy --suite quick`` or ``full``.

Data sets come in the order of what their figures are worth, so that a run that is stopped has told most. What has
ended is kept in ``build/``; the same command goes on from there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks import accuracy_tasks
from benchmarks._machine import heading
from benchmarks.tasks.family import Bench, Limits
from benchmarks.tasks.page import Results
from luthier.errors import LuthierError

ORDER = ("conll2003", "conll2003-e5", "cluener", "semeval2010", "squad", "cmrc", "msra", "multi30k", "samsum", "faq",
         "faq-reranked", "phrasebank-grades", "semeval2010-joint", "banking77-texts")
"""The sets of ``benchmarks/tasks/``."""
CLASSIFICATION = {"sst2": (1.4, 9), "chnsenticorp": (0, 22), "banking77": (0, 15), "thucnews": (0, 15),
                  "phrasebank": (0, 13)}
"""Of ``benchmarks/_sets.py``, which come last: their figures are published. Minutes as in ``Bench``; 0: not quick."""
CLASSIFICATION_ROWS = 800
"""Of each file in the quick suite."""
SUITES = ("quick", "full")


@dataclass(frozen=True, slots=True)
class Step:
    """One data set of a suite."""

    name: str
    minutes: float
    """That it takes on two idle cores, about."""
    run: Callable[[], None]


def task_steps(suite: str, options: accuracy_tasks.Options, results: Results, known: Mapping[str, tuple[str, Bench]],
               ) -> list[Step]:
    """Return the data sets of all tasks but classification.

    Args:
        suite: of ``SUITES``.
        options: for all of them; limits on rows hold beside those of the suite.
        results: that are added to.
        known: the sets, as ``accuracy_tasks.sets`` gives them.
    """
    steps = []
    for name in sorted(known, key=lambda one: ORDER.index(one) if one in ORDER else len(ORDER)):
        family, bench = known[name]
        own, minutes = options, bench.minutes[1]
        if suite == "quick":
            if bench.quick is None:
                continue
            own, minutes = replace(options, limits=_least(options.limits, Limits(*bench.quick))), bench.minutes[0]
        steps.append(Step(name, minutes, partial(accuracy_tasks.measure, name, family, bench, own, results)))
    return steps


def _least(asked: Limits, own: Limits) -> Limits:
    return Limits(*(min(one for one in pair if one is not None)
                    for pair in ((asked.train, own.train), (asked.test, own.test))))


def carry_out(steps: Sequence[Step], threads: int, after: Callable[[], None]) -> int:
    """Run the steps one after the other and tell how long the rest will take; one that fails stops no other.

    Args:
        steps: what is run.
        threads: that both sides get; for the heading.
        after: called when a step has ended.

    Returns:
        How many failed.
    """
    print(heading(threads))
    print(f"about {_told(sum(step.minutes for step in steps))} on two idle cores: "
          + ", ".join(f"{step.name} {step.minutes:g}" for step in steps), flush=True)
    started, failed, expected = time.perf_counter(), [], 0.0
    for number, step in enumerate(steps, start=1):
        try:
            step.run()
        except LuthierError as error:
            failed.append(step.name)
            print(f"error: {step.name}: {error}", file=sys.stderr, flush=True)
        after()
        expected += step.minutes
        taken = (time.perf_counter() - started) / 60
        left = sum(one.minutes for one in steps[number:]) * taken / max(expected, 0.1)
        print(f"[{number} of {len(steps)}] {step.name}: {taken:.1f} minutes so far, about {_told(left)} left",
              flush=True)
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes in all"
          + (f"; failed: {', '.join(failed)}; the same command tries them again" if failed else ""))
    return len(failed)


def results_file(suite: str, part: str, rows: int | None) -> Path:
    """Return where the results of a suite are kept; a trial with fewer rows has files of its own."""
    return Path(f"build/suite-{suite}{f'-{rows}-rows' if rows else ''}-{part}.json")


def _told(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
