"""The terminal view of the event stream: notes, one progress bar with an ETA, and validation scores.

It is a listener like any tracker: it reads events and nothing else, so a run that nobody watches does the same work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from luthier.text.figures import score

PLAIN_SECONDS = 15.0
"""Between progress lines where there is no terminal to draw a bar on."""

SHOWN = ("f1", "joint_f1", "entity_f1", "relation_f1", "accuracy", "f1_macro", "mse", "mae", "pearson", "loss")
"""Validation metrics worth a line; of a task that has none but the loss among them, its first few."""
FEW = 4
SHOWN_OF_SPANS = ("f1_micro", "precision_micro", "recall_micro", "loss")
SHOWN_OF_RANKINGS = ("ndcg@10", "recall@1", "spearman", "loss")
"""Those of them that the rows have: the others are 0."""


class ProgressView:
    """Draws events on a terminal, or as plain lines where there is none. Use as a context manager and a listener."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0

    def __enter__(self) -> ProgressView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_bar()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event; kinds it does not know are left to others."""
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None:
            show(event)

    def _on_stage(self, event: Mapping[str, Any]) -> None:
        self._stop_bar()
        self._console.print(f"[bold]{escape(event['title'])}[/bold]")

    def _on_note(self, event: Mapping[str, Any]) -> None:
        self._console.print(f"  {escape(event['text'])}", soft_wrap=True)

    def _on_warning(self, event: Mapping[str, Any]) -> None:
        self._console.print(f"  [bold yellow]warning:[/bold yellow] {escape(event['text'])}", soft_wrap=True)

    def _on_count(self, event: Mapping[str, Any]) -> None:
        self._advance(event["title"], event["done"], event.get("total"), f"{event['rows_per_second']:.0f} rows/s")

    def _on_step(self, event: Mapping[str, Any]) -> None:
        detail = f"loss {event['loss']:.4f}  {event['rows_per_second']:.0f} rows/s  ETA {clock(event['eta_seconds'])}"
        self._advance("tuning", event["step"], event["total_steps"], detail)

    def _on_validation(self, event: Mapping[str, Any]) -> None:
        found = event["metrics"]
        shown = SHOWN_OF_SPANS if SHOWN_OF_SPANS[1] in found else SHOWN
        names = [name for name in shown if name in found]
        if SHOWN_OF_RANKINGS[0] in found:
            names = [name for name in SHOWN_OF_RANKINGS if found.get(name)]
        names = list(found)[:FEW] if names == ["loss"] else names
        metrics = "  ".join(f"{name.removesuffix('_micro')} {score(found[name])}" for name in names)
        best = "  (best)" if event.get("best") else ""
        self._console.print(f"  step {event['step']}: {metrics}{best}")

    def _on_early_stop(self, event: Mapping[str, Any]) -> None:
        self._console.print(f"  stopped early at step {event['step']}: {escape(event['reason'])}", soft_wrap=True)

    def _on_run_started(self, event: Mapping[str, Any]) -> None:
        for name, made in event["decisions"].items():
            said = f"  {name.replace('_', ' ')}: {escape(made['value'])} ({escape(made['reason'])})"
            self._console.print(said, soft_wrap=True)

    def _on_run_finished(self, _: Mapping[str, Any]) -> None:
        self._stop_bar()

    def _advance(self, title: str, done: int, total: int | None, detail: str) -> None:
        if not self._console.is_terminal:
            self._line(title, done, total, detail)
            return
        if self._bar is None:
            self._bar = Progress(TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(),
                                 TextColumn("{task.fields[detail]}"), TimeElapsedColumn(), console=self._console)
            self._bar.start()
            self._task = self._bar.add_task(title, total=total, detail=detail)
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=title, detail=detail)

    def _line(self, title: str, done: int, total: int | None, detail: str) -> None:
        now = time.monotonic()
        if done == total or now - self._last_line >= PLAIN_SECONDS:
            self._last_line = now
            self._console.print(f"  {title} {done}/{total if total is not None else '?'}  {escape(detail)}")

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._task = None, None


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``.

    >>> clock(75.2)
    '1:15'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
