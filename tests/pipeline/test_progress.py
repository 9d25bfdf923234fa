"""What the terminal shows of a run's events where there is no terminal to draw on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from luthier.pipeline import ProgressView
from luthier.pipeline.progress import clock

STEP = {"event": "step", "loss": 0.5, "rows_per_second": 9.0, "eta_seconds": 75.0, "total_steps": 30}


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def view(shown: io.StringIO) -> ProgressView:
    return ProgressView(Console(file=shown, width=200, highlight=False))


def test_decisions_come_with_their_reasons(view: ProgressView, shown: io.StringIO) -> None:
    view({"event": "run_started", "decisions": {"class_weights": {"value": "none", "reason": "[1.5] times the rows"}}})
    assert shown.getvalue() == "  class weights: none ([1.5] times the rows)\n"


def test_notes_warnings_scores_and_early_stops_are_lines(view: ProgressView, shown: io.StringIO) -> None:
    view({"event": "stage", "stage": "data", "title": "Reading"})
    view({"event": "note", "text": "read as [gb18030]"})
    view({"event": "warning", "text": "nothing was learned"})
    view({"event": "validation", "step": 10, "best": True, "metrics": {"accuracy": 0.5, "loss": 0.7, "own": 1.0}})
    view({"event": "early_stop", "step": 12, "reason": "no better f1_macro in 3 validations"})
    view({"event": "of another kind"})
    assert shown.getvalue().splitlines() == [
        "Reading", "  read as [gb18030]", "  warning: nothing was learned",
        "  step 10: accuracy 0.5000  loss 0.7000  (best)",
        "  stopped early at step 12: no better f1_macro in 3 validations",
    ]


def test_metrics_that_nobody_chose_are_shown_all_the_same(view: ProgressView, shown: io.StringIO) -> None:
    view({"event": "validation", "step": 5, "metrics": {"chrf": 0.25, "loss": 2.0}})
    assert shown.getvalue() == "  step 5: chrf 0.2500  loss 2.0000\n"


def test_without_a_terminal_progress_is_a_line_now_and_then_and_at_the_end(
    view: ProgressView, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([100.0, 101.0, 116.0, 116.1])
    monkeypatch.setattr("luthier.pipeline.progress.time.monotonic", lambda: next(times))
    for step in (1, 2, 3, 30):
        view({**STEP, "step": step})
    assert [line.split()[1] for line in shown.getvalue().splitlines()] == ["1/30", "3/30", "30/30"]
    assert "loss 0.5000  9 rows/s  ETA 1:15" in shown.getvalue()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.2, "1:15"), (3600, "1:00:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
