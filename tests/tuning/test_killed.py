"""After ``kill -9`` at any moment, the resumed run gives the very losses and weights of one that never stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from luthier.models.native import build
from luthier.tuning import read_events

SCRIPT = Path(__file__).with_name("killed_run.py")


Run = Callable[[Path, dict[str, Any]], int]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Return what runs to the end or to the kill, and gives the exit code."""
    with ExitStack() as stack:
        started: dict[str, subprocess.Popen[str]] = {}

        def process_with(threads: str) -> subprocess.Popen[str]:
            if threads not in started:
                paths = os.pathsep.join([str(SCRIPT.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
                started[threads] = stack.enter_context(subprocess.Popen(
                    [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                    env={**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": paths}))
            return started[threads]

        def run_to_its_end(directory: Path, options: dict[str, Any]) -> int:
            # 80 rows of batch 8: 10 batches an epoch, 30 steps (fewer with accumulation).
            process = process_with("2" if "shape" in options else "1")
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([str(directory), options]) + "\n")
            process.stdin.flush()
            code = int(process.stdout.readline())
            assert code in (0, -signal.SIGKILL)
            return code

        yield run_to_its_end


def outcome(directory: Path) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    told = [
        (event["event"], event["step"], event.get("loss"), event.get("grad_norm"), event.get("learning_rate"),
         event.get("train_loss"), str(event.get("metrics")), event.get("best"))
        for event in read_events(directory / "events.jsonl")
        if "step" in event
    ]
    return json.loads((directory / "result.json").read_text()), told


DROPOUT = {"lora_dropout": 0.1}
STOP = -1
"""Stands for the step at which the uninterrupted run stops early."""
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {
    "full, every place": (
        {"validation": {"save_steps": 4}},
        [("step", 1), ("step", 6), ("checkpoint", 8), ("weights", 8), ("optimizer", 12), ("best", 10), ("rename", 16),
         ("prune", 20), ("validation", 30), ("prune", 30)],
    ),
    "full, bf16, accumulated, parts": (
        {"train": {"precision": "bf16", "gradient_accumulation_steps": 3, "max_tokens_per_batch": 64,
                   "lr_scheduler_type": "cosine"}, "validation": {"eval_steps": 3}},
        [("step", 5), ("optimizer", 6)],
    ),
    "full, compiled layers on two cores": (
        {"shape": {"width": 64, "heads": 2}, "built": {"attention_dropout": 0.0},
         "train": {"precision": "bf16", "gradient_accumulation_steps": 2}, "validation": {"save_steps": 3}},
        [("step", 5), ("optimizer", 6), ("validation", 10)],
    ),
    "frozen layers below compiled ones": (
        {"shape": {"width": 64, "heads": 2, "layers": 3}, "built": {"attention_dropout": 0.0}, "method": "freeze",
         "settings": {"freeze_trainable_layers": 1}, "train": {"precision": "bf16"}},
        [("step", 5), ("optimizer", 10), ("validation", 20)],
    ),
    "lora, bf16, accumulated": (
        {"method": "lora", "settings": DROPOUT, "train": {"precision": "bf16", "gradient_accumulation_steps": 2}},
        [("step", 7), ("weights", 10)],
    ),
    "early stop, best before the kill": (
        {"noise": 0.5, "train": {"num_train_epochs": 6, "learning_rate": 3e-3},
         "validation": {"eval_steps": 4, "early_stopping_patience": 4, "save_total_limit": 1}},
        [("validation", 8), ("step", 10), ("early_stop", STOP), ("prune", STOP)],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_killed_and_resumed_equals_uninterrupted(run: Run, tmp_path: Path, name: str) -> None:
    options, kills = CASES[name]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(whole, options) == 0
    stops = [event["step"] for event in read_events(whole / "events.jsonl") if event["event"] == "early_stop"]
    for number, (place, step) in enumerate(kills):
        kill = (place, stops[0] if step == STOP else step)
        assert run(broken, {**options, "kill": kill, "resume": number > 0}) == -signal.SIGKILL, kill
    assert run(broken, {**options, "resume": True}) == 0
    expected, expected_events = outcome(whole)
    result, events = outcome(broken)
    assert result["layers"] == ("native" if "shape" in options and not build.lacking() else "torch")
    assert events == expected_events
    assert result == expected
