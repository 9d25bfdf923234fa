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
SPAN_SYSTEMS = {**SYSTEMS, "baseline": "baseline (dictionary)"}
SPAN_COLUMNS = {"f1_micro": "entity F1", "precision_micro": "precision", "recall_micro": "recall"}

NUMBER_SYSTEMS = {**SYSTEMS, "baseline": "baseline (ridge)"}
NUMBER_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "pearson": "Pearson", "spearman": "Spearman"}
GRADE_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "qwk": "QWK", "accuracy": "right grade"}

ANSWER_SYSTEMS = {**SYSTEMS, "baseline": "baseline (best sentence)"}
ANSWER_COLUMNS = {"f1": "F1", "exact_match": "exact match"}


def print_scores(run: Run) -> None:
    """Print baseline, untuned and tuned side by side with their confidence intervals."""
    found = run.scores["systems"]
    first = next(iter(found.values()))
    spans = _of_spans(first)
    columns, names = _columns(first)
    confidence = round(100 * run.recipe.evaluation.confidence)
    # More than two with their intervals would not stand in a line.
    sure = tuple(columns)[:2 if len(columns) == 2 else 1]
    heads = [f"{title} [{confidence} %]" if metric in sure else title for metric, title in columns.items()]
    table = Table(f"on {first['rows']} test rows", *heads, box=None, pad_edge=False)
    for system, scores in found.items():
        table.add_row(names[system], *[_cell(scores, metric) if metric in sure else f"{scores['metrics'][metric]:.4f}"
                                       for metric in columns])
    Console().print(table, highlight=False)
    if spans and "tuned" in found:
        Console().print(_per_label(found["tuned"]), highlight=False)
    for sentence in (*run.scores.get("verdicts", ()), *run.warnings):
        typer.echo(sentence)


def print_evaluation(scored: Evaluation) -> None:
    """Print one system's averaged and per-label scores."""
    numbers = scored.to_dict()
    console = Console()
    if numbers["classes"]:
        console.print(_per_label(numbers), highlight=False)
    for metric, title in _columns(numbers)[0].items():
        console.print(f"{title} {_cell(numbers, metric)}", highlight=False)
    for part, rows in numbers.get("parts", {}).items():
        console.print(f"F1 of {rows} {part} questions {_cell(numbers, f'f1_{part}')}", highlight=False)
    if scored.truncated:
        typer.echo(f"{scored.truncated} texts were longer than the model reads and lost their end")


def next_steps(run: Run) -> str:
    """Say where things are and which commands use them."""
    return (f"report: {run.report}\nbundle: {run.path}\n"
            f"next:   luthier serve {run.path}   |   luthier predict {run.path} texts.csv --out labelled.jsonl")


def _columns(scores: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the metrics shown, with their titles, and the names of the systems."""
    if "rmse" in scores["metrics"]:
        return GRADE_COLUMNS if "qwk" in scores["metrics"] else NUMBER_COLUMNS, NUMBER_SYSTEMS
    if "exact_match" in scores["metrics"]:
        return ANSWER_COLUMNS, ANSWER_SYSTEMS
    return (SPAN_COLUMNS, SPAN_SYSTEMS) if _of_spans(scores) else (COLUMNS, SYSTEMS)


def _of_spans(scores: Mapping[str, Any]) -> bool:
    return "tokens" in scores


def _per_label(scores: Mapping[str, Any]) -> Table:
    first, last = ("type", "entities") if _of_spans(scores) else ("label", "rows")
    table = Table(first, "precision", "recall", "F1", last, box=None, pad_edge=False)
    for entry in scores["classes"]:
        table.add_row(entry["label"], *[f"{entry[name]:.4f}" for name in ("precision", "recall", "f1")],
                      str(entry["support"]))
    return table


def _cell(scores: Mapping[str, Any], metric: str) -> str:
    interval = scores["intervals"][metric]
    return f"{scores['metrics'][metric]:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"
