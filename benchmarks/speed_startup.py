"""How long a command takes from the shell to its first answer, beside the usual script with ``transformers.pipeline``.

    python -m benchmarks.speed_startup --data DIR         # four minutes on two cores

Each run is a process of its own. A first run of each side, which fills the caches of the disk and compiles what is
compiled once, is shown apart. With ``--data``, also how long ``luthier train`` takes to its first step, beside a script
with ``transformers.Trainer``: 3,000 rows of SST-2, and both runs are stopped there.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks._machine import heading
from benchmarks._texts import labelled
from benchmarks.speed_predict import MODELS, make_bundle
from luthier.errors import LuthierError, TuningError
from luthier.models.hardware import cores
from luthier.models.sources import resolve

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

TRAINER = """
import json, os, sys
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer,
                          TrainerCallback, TrainingArguments)
class Stop(TrainerCallback):
    def on_step_end(self, *_, **__):
        print("first step", flush=True)
        os._exit(0)
rows = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
names = sorted({row["label"] for row in rows})
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=128)
data = [{"input_ids": ids, "attention_mask": mask, "labels": names.index(row["label"])}
        for ids, mask, row in zip(encoded["input_ids"], encoded["attention_mask"], rows)]
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=len(names))
Trainer(model=model, args=TrainingArguments(sys.argv[3], per_device_train_batch_size=32, report_to="none", bf16=True,
                                            use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False),
        train_dataset=data, data_collator=DataCollatorWithPadding(tokenizer), callbacks=[Stop()]).train()
"""
"""The Trainer's documentation in short, with bf16, stopped behind its first step."""
TRAIN_ROWS = 3000
PATIENCE = 120
"""Seconds that a first step may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed_startup",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", action="append", help=f"one or several; {' and '.join(MODELS)} when left out")
    parser.add_argument("--data", type=Path, help="folder with sst2/train.jsonl; no tuning without it")
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
                if said.data is not None:
                    compare_first_steps(name, said.data, place, said.rounds, said.threads)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def compare_first_steps(name: str, data: Path, place: Path, rounds: int, threads: int) -> None:
    """Measure from the shell to the first step of tuning.

    Raises:
        DataError: there is no such file.
    """
    rows, out = place / "rows.jsonl", place / "tuned"
    rows.write_text("\n".join(labelled(data)[:TRAIN_ROWS]) + "\n", encoding="utf-8")
    path, model = str(rows), str(resolve(name).path)
    train = [sys.executable, "-m", "luthier", "train", path, "--model", name, "--out", str(out), "--restart",
             f"threads={threads}"]
    commands = {f"{name}: luthier train, first step": train,
                f"{name}: Trainer script, first step": [sys.executable, "-c", TRAINER, model, path, str(place / "t")]}
    compare(commands, rounds, lambda words: first_step(words, place / "tuned.run" / "events.jsonl"))


def first_step(words: Sequence[str], events: Path) -> float:
    """Run a command until it says on its standard output, or in ``events``, that a step was taken; return the seconds.

    Raises:
        TuningError: it ends, or takes too long, without a step.
    """
    events.unlink(missing_ok=True)
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        while time.perf_counter() - began < PATIENCE:
            if events.is_file() and '"event": "step"' in events.read_text(encoding="utf-8"):
                return time.perf_counter() - began
            if process.poll() is not None:
                taken, said = time.perf_counter() - began, process.stdout.read() if process.stdout else ""
                if "first step" in said:
                    return taken
                raise TuningError(f"{' '.join(words[:4])} … ended without a step: {said.strip()[-400:]}",
                                  "mend that and run the benchmark again")
            time.sleep(0.01)
        raise TuningError(f"{' '.join(words[:4])} … took no step in {PATIENCE} s", "look at what it says by hand")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def compare(commands: dict[str, list[str]], rounds: int, measure: Callable[[Sequence[str]], float] | None = None,
            ) -> None:
    """Run each command once, then in turns, and print medians with the lowest and the highest."""
    measure = measure or seconds
    first = {name: measure(words) for name, words in commands.items()}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            taken[name].append(measure(words))
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
