"""The quick suite in one table: a line for each data set, with the first measure of its task. From results alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import _table
from benchmarks._results import Results as Classified
from benchmarks.tasks import page
from benchmarks.tasks.family import Family

HEAD = ["data set", "model", "seed", "rows: train / test", "measure", "Luthier", "script", "difference",
        "minutes in all, Luthier", "script", "peak MiB, Luthier", "script", "rows/s, Luthier", "transformers"]
TITLE = "## Eight tasks on small samples (the quick suite)"
INTRODUCTION = """\
Luthier and the usual `transformers` script of each task, with the same pretrained weights, rows, epochs, batch and
learning rate; Luthier's new heads for entities, relations and answers learn at a rate of their own (1e-2 and 1e-3),
which counts for much where rows are so few. They show that each task works and about what it takes, not who is better:
look at the 95 % intervals in brackets; of 300 questions neither side learns to answer. Rows/s: the tuned bundle in
batches, and its weights in the pipeline or loop that is usual, in turns in one process. What the scripts do stands in
`benchmarks/tasks/`, one folder for each task; that of SST-2 is `benchmarks/_trainer.py`."""


def overview(results: page.Results, families: Mapping[str, Family], classified: Classified, command: str) -> str:
    """Return the section; nothing without results."""
    lines = [*_tasks(results, families), *_classification(classified)]
    if not lines:
        return ""
    runs = [run for told in results.values() for run in told["sides"].values()] + classified.runs
    return "\n".join([TITLE, "", INTRODUCTION, "", *page.grid(HEAD, 5, iter(lines)), "",
                      page.made(runs[0]), "", f"Command: `{command}`"]) + "\n"


def _tasks(results: page.Results, families: Mapping[str, Family]) -> Iterator[list[str]]:
    for told in results.values():
        if told["sides"]:
            family = families[told["family"]]
            costs = page.cost_line(told)
            for line in page.score_lines(family, told):
                yield [*line[:4], next(iter(family.METRICS.values())), *line[4:7], *costs[3:5], *costs[7:11]]


def _classification(classified: Classified) -> Iterator[list[str]]:
    lines = {(line.title, line.seed): line for line in _table.compare(classified)}
    for name, seed, *runs in classified.ended():
        record: Mapping[str, Any] = classified.datasets[name]
        line = lines[record["bench"]["title"], seed]
        yield [line.title, record["bench"]["model"], str(seed), f"{record['sizes']['train']:,} / {line.rows:,}",
               "accuracy", *(f"{100 * value:.2f}" for value in line.accuracy), page.apart(line.differences["accuracy"]),
               *(f"{run['wall_seconds'] / 60:.1f}" for run in runs), *(f"{run['peak_mib']:,.0f}" for run in runs),
               "-", "-"]
