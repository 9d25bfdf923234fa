"""How long a command takes from the shell to its first answer, beside the usual script with ``transformers.pipeline``.

    python -m benchmarks.speed_startup                    # two minutes on two cores

Each run is a process of its own. A first run of each side, which fills the caches of the disk and compiles what is
compiled once, is shown apart.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._machine import heading
from benchmarks.speed_predict import MODELS, make_bundle
from luthier.errors import LuthierError, TuningError
from luthier.models.hardware import cores

SCRIPT = """
import json, sys
from transformers import pipeline
run = pipeline("text-classification", model=sys.argv[1], device="cpu")
with open(sys.argv[2], encoding="utf-8") as rows, open(sys.argv[3], "w", encoding="utf-8") as out:
    for row in rows:
        text = json.loads(row)["text"]
        out.write(json.dumps({"text": text, **run(text, truncation=True)[0]}) + "\\n")
"""
"""What the pipeline's documentation shows, reading and writing a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed_startup",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", action="append", help=f"one or several; {' and '.join(MODELS)} when left out")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds")
    parser.add_argument("--threads", type=int, default=cores(), help="CPU threads; all cores when left out")
    said = parser.parse_args(arguments)
    print(heading(said.threads), flush=True)
    luthier = [sys.executable, "-m", "luthier"]
    try:
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            (place / "one.jsonl").write_text('{"text": "a stirring , funny and finally transporting film"}\n',
                                             encoding="utf-8")
            compare({"luthier --help": [*luthier, "--help"]}, said.rounds)
            for name in said.model or MODELS:
                bundle = str(make_bundle(name, place / f"{name.replace('/', '-')}-bundle"))
                files = [str(place / "one.jsonl"), str(place / "out.jsonl")]
                predict = [*luthier, "predict", bundle, files[0], "--out", files[1], "--threads", str(said.threads)]
                compare({
                    f"{name}: luthier predict, one text": predict,
                    f"{name}: the same, --backend torch": [*predict, "--backend", "torch"],
                    f"{name}: pipeline script, one text": [sys.executable, "-c", SCRIPT, bundle, *files],
                }, said.rounds)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def compare(commands: dict[str, list[str]], rounds: int) -> None:
    """Run each command once, then in turns, and print medians with the lowest and the highest."""
    first = {name: seconds(words) for name, words in commands.items()}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            taken[name].append(seconds(words))
    for name, found in taken.items():
        print(f"{name:42} {statistics.median(found):5.2f} s ({min(found):.2f} to {max(found):.2f}); first run "
              f"{first[name]:.2f} s", flush=True)


def seconds(words: Sequence[str]) -> float:
    """Run a command and return the seconds it took.

    Raises:
        TuningError: it failed.
    """
    began = time.perf_counter()
    ended = subprocess.run(words, check=False, capture_output=True, text=True, errors="replace")
    if ended.returncode != 0:
        raise TuningError(f"{' '.join(words[:4])} … ended with code {ended.returncode}: {ended.stderr.strip()[-400:]}",
                          "mend that and run the benchmark again")
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
