"""How fast one backend runs one bundle here. In a process of its own: a backend that crashes takes nothing with it.

``python -m luthier.inference.measuring BUNDLE BACKEND SECONDS THREADS OFFLINE`` prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from luthier import plugins
from luthier.bundle import Manifest, read_manifest
from luthier.errors import LuthierError
from luthier.inference.backend import Backend, Folds
from luthier.schema import Batch

LENGTHS = (32, 64)
"""Tokens of the texts measured: those of a sentence or two, and of a short paragraph."""
TOKENS = 1024
"""Tokens of one measured batch."""
DEADLINE = 120.0
"""Seconds after which a backend that has not answered is given up: opening and exporting take most of them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one backend did."""

    texts_per_second: float = 0.0
    """In batches of like length."""
    milliseconds: float = 0.0
    """Of one text at a time, median."""
    fault: str = ""
    """Why it could not be measured; empty when it was."""


def measure(name: str, bundle: Path, *, seconds: float, threads: int | None, offline: bool) -> Measured:
    """Measure a backend in a process of its own.

    Args:
        name: of the backend.
        bundle: the bundle's directory.
        seconds: of measuring, without opening.
        threads: CPU threads; all cores when ``None``.
        offline: never ask a model hub for an adapter's base.
    """
    words = [str(bundle), name, str(seconds), str(threads or 0), str(int(offline))]
    try:
        ended = subprocess.run([sys.executable, "-m", "luthier.inference.measuring", *words], check=False,  # noqa: S603
                               capture_output=True, text=True, encoding="utf-8", errors="replace",
                               timeout=DEADLINE + seconds)
    except subprocess.TimeoutExpired:
        return Measured(fault=f"no answer within {DEADLINE:.0f} s")
    last = ended.stdout.strip().rsplit("\n", 1)[-1]
    if ended.returncode != 0 or not last.startswith("{"):
        said = ended.stderr.strip().rsplit("\n", 1)[-1]
        return Measured(fault=f"its process ended with code {ended.returncode}{': ' if said else ''}{said:.200}")
    return Measured(**json.loads(last))


def main(bundle: str, name: str, seconds: str, threads: str, offline: str) -> None:
    """Measure a backend in this process and print the figures."""
    directory = Path(bundle)
    try:
        manifest = read_manifest(directory)
        backend = plugins.load("inference.backends", name).load(
            directory, manifest, threads=int(threads) or None, device="cpu", offline=offline == "1")
        if isinstance(backend, Folds):  # as it will serve
            backend.fold()
        half = float(seconds) / 2
        found = Measured(_texts_per_second(backend, manifest, half), _milliseconds(backend, manifest, half))
        backend.close()
    except LuthierError as error:
        found = Measured(fault=error.problem)
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


def _texts_per_second(backend: Backend, manifest: Manifest, seconds: float) -> float:
    lengths = [min(tokens, manifest.length.max_length) for tokens in LENGTHS]
    batches = [_batch(max(1, TOKENS // tokens), tokens) for tokens in lengths] * 2
    for _ in backend.run_all(batches):  # compiles and packs
        pass
    texts, began = 0, time.perf_counter()
    while (taken := time.perf_counter() - began) < seconds:
        texts += sum(map(len, backend.run_all(batches)))
    return texts / taken


def _milliseconds(backend: Backend, manifest: Manifest, seconds: float) -> float:
    one = [_batch(1, min(tokens, manifest.length.max_length)) for tokens in range(16, 48, 8)]
    for batch in one:
        backend.run(batch)
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        began = time.perf_counter()
        backend.run(one[len(taken) % len(one)])
        taken.append(1e3 * (time.perf_counter() - began))
    return float(np.median(taken))


def _batch(rows: int, tokens: int) -> Batch:
    """Return rows of one length. Which tokens they are does not change what they cost: small ids, any model has."""
    ids = np.random.default_rng(0).integers(0, 100, (rows, tokens))
    return Batch(ids, np.ones((rows, tokens), np.bool_), None, np.zeros(rows, np.bool_))


if __name__ == "__main__":
    main(*sys.argv[1:6])
