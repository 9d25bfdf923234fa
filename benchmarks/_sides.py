"""Running one side: a fresh process that sees nothing of the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._data import Rows
from benchmarks._job import Job
from benchmarks._machine import machine, versions
from benchmarks._sets import Bench
from luthier.errors import TuningError
from luthier.models.sources import resolve

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 15
"""Of a failed side's output that the error shows."""


def job_of(bench: Bench, rows: Rows, *, seed: int, threads: int) -> Job:
    """Return what both sides are told. A packaged model is converted here, on nobody's clock."""
    files = {split: str(rows.file(split)) for split in ("train", "valid", "test")}
    return Job(
        model=bench.model, model_path=str(resolve(bench.model).path), **files, labels=rows.labels, seed=seed,
        epochs=bench.epochs, learning_rate=bench.learning_rate, batch_size=bench.batch_size,
        max_length=bench.max_length, warmup_ratio=bench.warmup_ratio, weight_decay=bench.weight_decay,
        scheduler=bench.scheduler, threads=threads,
    )


def run_side(name: str, side: str, job: Job, *, module: str | None = None, work: Path | None = None) -> dict[str, Any]:
    """Run one side in a process of its own and return its entry for the results file.

    Args:
        name: the data set.
        side: what the side is called.
        job: what it is told.
        module: what is run; ``benchmarks._<side>`` when left out.
        work: what it may write into; a directory that is gone when it ends when left out.

    Raises:
        TuningError: the process failed.
    """
    with tempfile.TemporaryDirectory(prefix=f"luthier-{side}-") as place:
        asked, answered, log = (Path(place) / file for file in ("job.json", "answer.json", "log.txt"))
        replace(job, work=str(work or place)).write(asked)
        load, date, started = os.getloadavg()[0], datetime.now(UTC), time.perf_counter()
        with log.open("w", encoding="utf-8") as output:
            command = [sys.executable, "-m", module or f"benchmarks._{side}", str(asked), str(answered)]
            code = subprocess.run(command, cwd=ROOT, env=_environment(job.threads), stdout=output, stderr=output,
                                  check=False).returncode
        seconds = time.perf_counter() - started
        if code != 0:
            last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
            raise TuningError(f"the {side} side of {name} ended with code {code}:\n{last}",
                              "mend that and go on with --resume-from; sides that ended are kept")
        answer = json.loads(answered.read_text(encoding="utf-8"))
    return {"dataset": name, "side": side, "seed": job.seed, "started": date.isoformat(timespec="seconds"),
            "machine": machine(), "versions": versions(), "threads": job.threads, "load_before": round(load, 2),
            "wall_seconds": round(seconds, 2), **answer}


def _environment(threads: int) -> dict[str, str]:
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")
    return {**os.environ, **offline, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
