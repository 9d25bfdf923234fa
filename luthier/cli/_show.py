"""What several verbs print: score tables with intervals, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from luthier.text.figures import score

if TYPE_CHECKING:
    from luthier.evaluation import Evaluation, Kind
    from luthier.pipeline import Run


def print_scores(run: Run) -> None:
    """Print baseline, untuned and tuned side by side with their confidence intervals."""
    found = run.scores["systems"]
    first = next(iter(found.values()))
    kind = _kind(first)
    shown = kind.printed(found.get("tuned", first))  # a model may have scores that a baseline cannot have
    columns = shown.columns
    names = {"baseline": f"baseline ({kind.BASELINE.short})", "tuned": "tuned",
             "untuned": "untuned (new head)" if found.get("untuned", {}).get("new_head") else "untuned"}
    confidence = round(100 * run.recipe.evaluation.confidence)
    # More than two with their intervals would not stand in a line.
    sure = tuple(columns)[:2 if len(columns) == 2 else 1]
    heads = [f"{title} [{confidence} %]" if metric in sure else title for metric, title in columns.items()]
    table = Table(f"on {first['rows']} test rows", *heads, box=None, pad_edge=False)
    for system, scores in found.items():
        table.add_row(names[system], *[_cell(scores, metric) if metric in sure else _number(scores, metric)
                                       for metric in columns])
    Console().print(table, highlight=False)
    if shown.by_label and "tuned" in found:
        Console().print(_per_label(found["tuned"], shown.labels), highlight=False)
    for sentence in (*run.scores.get("verdicts", ()), *run.warnings):
        typer.echo(sentence)


def _number(scores: Mapping[str, Any], metric: str) -> str:
    value = scores["metrics"].get(metric)
    return "-" if value is None else score(value)


def print_evaluation(scored: Evaluation) -> None:
    """Print one system's averaged and per-label scores."""
    numbers = scored.to_dict()
    shown, console = _kind(numbers).printed(numbers), Console()
    if numbers["classes"]:
        console.print(_per_label(numbers, shown.labels), highlight=False)
    for metric, title in {**shown.columns, **shown.more}.items():
        console.print(f"{title} {_cell(numbers, metric)}", highlight=False)
    if scored.truncated:
        typer.echo(f"{scored.truncated} texts were not looked at as a whole (truncated)")


def next_steps(run: Run) -> str:
    """Say where things are and which commands use them."""
    return (f"report: {run.report}\nbundle: {run.path}\n"
            f"next:   luthier serve {run.path}   |   luthier predict {run.path} texts.csv --out labelled.jsonl")


def _kind(scores: Mapping[str, Any]) -> Kind:
    from luthier.evaluation import kind_of

    return kind_of(scores["problem_type"])


def _per_label(scores: Mapping[str, Any], heads: tuple[str, str]) -> Table:
    first, last = heads
    table = Table(first, "precision", "recall", "F1", last, box=None, pad_edge=False)
    for entry in scores["classes"]:
        table.add_row(entry["label"], *[f"{entry[name]:.4f}" for name in ("precision", "recall", "f1")],
                      str(entry["support"]))
    return table


def _cell(scores: Mapping[str, Any], metric: str) -> str:
    interval = scores["intervals"][metric]
    return f"{score(scores['metrics'][metric])} [{score(interval['low'])}, {score(interval['high'])}]"
