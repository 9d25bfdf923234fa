"""Ctrl-C that Python drops, as it does in destructors, still ends a run at its next step."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from toy import make_toy

from luthier.tuning import Events, fit
from luthier.tuning.interrupt import interruptible


def press_and_lose() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return
    raise AssertionError("no interrupt came")


def test_an_interrupt_that_was_lost_is_raised_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as check:
        check()
        press_and_lose()
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before


def test_in_other_threads_and_where_it_is_turned_off_nothing_changes() -> None:
    def use() -> None:
        with interruptible() as check:
            found.append(signal.getsignal(signal.SIGINT))
            check()

    found: list[Any] = []
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        use()
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [before, signal.SIG_IGN]


@pytest.mark.slow
def test_a_run_ends_at_the_step_after(tmp_path: Path) -> None:
    steps = []

    def listener(event: Any) -> None:
        if event["event"] == "step":
            steps.append(event["step"])
            if event["step"] == 3:
                press_and_lose()

    toy = make_toy(tmp_path)
    with pytest.raises(KeyboardInterrupt), Events(tmp_path / "events.jsonl", [listener]) as events:
        fit(toy.job(tmp_path / "checkpoints"), events)
    assert steps[-1] == 3
