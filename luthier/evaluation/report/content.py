"""What a report holds, and the JSON document that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from luthier.errors import DataError
from luthier.evaluation.evaluate import Evaluation, compare
from luthier.evaluation.intervals import Difference
from luthier.recipe import EvaluationSettings

FORMAT = 2
"""Version of ``scores.json``'s layout. In 1 the confusion was the whole table, row after row."""

SYSTEMS = ("tuned", "untuned", "baseline")
"""The names a report gives to systems, the one it is about first."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``write_report`` shows; what is missing is left out of the page."""

    title: str
    systems: Mapping[str, Evaluation]
    """``tuned``, ``untuned``, ``baseline`` -> its evaluation on the same rows; at least one."""
    created: str = ""
    """When, as it shall be shown (ISO 8601 by custom)."""
    settings: EvaluationSettings = EvaluationSettings()
    """The settings that the evaluations were made with."""
    seed: int = 0
    """Of the evaluations, and of the paired bootstrap."""
    data_report: Mapping[str, Any] = field(default_factory=dict)
    """``DataReport.to_dict()``."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe as plain values."""
    history: Sequence[Mapping[str, Any]] = ()
    """The run's ``step`` and ``validation`` events."""
    best_step: int | None = None
    """The step whose weights were kept."""
    decisions: Mapping[str, str] = field(default_factory=dict)
    """What was decided for the user -> the choice and its reason."""
    warnings: Sequence[str] = ()
    """What the user must know before relying on the result."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Section (``scores``, ``classes``, ``confusion``, ``curves``, ``errors``, ``history``, ``data``) -> the command
    that reproduces it; ``evaluate`` and ``train`` stand in for those not named."""
    languages: Sequence[str] = ("en", "zh")
    """The first one shows when the page opens."""

    @property
    def main(self) -> str:
        """Return the name of the system that the report is about."""
        return next((name for name in SYSTEMS if name in self.systems), next(iter(self.systems)))

    def command(self, part: str) -> str | None:
        """Return the command that reproduces a section of the page."""
        fallbacks = ("train", "evaluate") if part in {"history", "data"} else ("evaluate", "scores", "train")
        return next((self.commands[name] for name in (part, *fallbacks) if name in self.commands), None)


def comparisons(report: Report) -> dict[str, dict[str, Difference]]:
    """Return the main system against each other one: other's name -> metric -> paired difference."""
    main = report.systems[report.main]
    return {
        name: compare(main, other, report.settings, seed=report.seed)
        for name, other in report.systems.items()
        if name != report.main
    }


def scores_document(report: Report) -> dict[str, Any]:
    """Return ``scores.json``: numbers, label names and row ids, never texts. Described in docs/report.md.

    Raises:
        DataError: the report holds no system.
    """
    if not report.systems:
        raise DataError("a report needs the evaluation of at least one system", "evaluate before writing a report")
    main = report.systems[report.main]
    return {
        "format": FORMAT,
        "title": report.title,
        "created": report.created,
        "labels": {"names": list(main.labels.names), "problem_type": main.labels.problem_type,
                   **({"scale": asdict(main.labels.scale)} if main.labels.scale else {})},
        "main": report.main,
        "confidence": report.settings.confidence,
        "bootstrap": report.settings.bootstrap,
        "seed": report.seed,
        "systems": {name: evaluation.to_dict() for name, evaluation in report.systems.items()},
        "comparisons": {
            other: {metric: difference.to_dict() for metric, difference in metrics.items()}
            for other, metrics in comparisons(report).items()
        },
        "content_hash": report.data_report.get("content_hash"),
        "best_step": report.best_step,
        "warnings": list(report.warnings),
        "commands": dict(report.commands),
    }
