"""What several verbs print: score tables with intervals, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from luthier.evaluation import Evaluation
    from luthier.pipeline import Run

SYSTEMS = {
    "baseline": "baseline (TF-IDF)",
    "untuned": "untuned (new head)",
    "tuned": "tuned",
}
COLUMNS = {"accuracy": "accuracy", "f1_macro": "macro F1"}


def print_scores(run: Run) -> None:
    """Print baseline, untuned and tuned side by side with their confidence intervals."""
    first = next(iter(run.scores["systems"].values()))
    confidence = round(100 * run.recipe.evaluation.confidence)
    table = Table(f"on {first['rows']} test rows", *[f"{title} [{confidence} %]" for title in COLUMNS.values()],
                  box=None, pad_edge=False)
    for system, scores in run.scores["systems"].items():
        table.add_row(SYSTEMS[system], *[_cell(scores, metric) for metric in COLUMNS])
    Console().print(table, highlight=False)
    for sentence in (*run.scores.get("verdicts", ()), *run.warnings):
        typer.echo(sentence)


def print_evaluation(scored: Evaluation) -> None:
    """Print one system's averaged and per-label scores."""
    numbers = scored.to_dict()
    table = Table("label", "precision", "recall", "F1", "rows", box=None, pad_edge=False)
    for entry in numbers["classes"]:
        table.add_row(entry["label"], *[f"{entry[name]:.4f}" for name in ("precision", "recall", "f1")],
                      str(entry["support"]))
    console = Console()
    console.print(table, highlight=False)
    for metric, title in COLUMNS.items():
        console.print(f"{title} {_cell(numbers, metric)}", highlight=False)
    if scored.truncated:
        typer.echo(f"{scored.truncated} texts were longer than the model reads and lost their end")


def next_steps(run: Run) -> str:
    """Say where things are and which commands use them."""
    return (f"report: {run.report}\nbundle: {run.path}\n"
            f"next:   luthier serve {run.path}   |   luthier predict {run.path} texts.csv --out labelled.jsonl")


def _cell(scores: Mapping[str, Any], metric: str) -> str:
    interval = scores["intervals"][metric]
    return f"{scores['metrics'][metric]:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"
