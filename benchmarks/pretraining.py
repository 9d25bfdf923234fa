"""Hidden tokens of a field's texts learned first: perplexity before and after, and what a classifier gains from it.

    python -m benchmarks.pretraining --data DIR         # some minutes on two free cores

``DIR`` holds ``banking77/train.jsonl`` and ``test.jsonl`` with ``text`` and ``label``. All train texts are learned from
without their labels; then a few labelled rows of each class tune the model as it was, and the one that goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import defaultdict
from pathlib import Path

import luthier
from benchmarks._machine import heading
from luthier.models.hardware import cores

SHARES = {"split": (0.9, 0.05, 0.05)}
TESTED = 770
"""Test rows that classifiers are scored on."""


def main() -> None:
    """Learn from the texts, tune both classifiers, and print what they score."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder with banking77")
    options.add_argument("--model", default="minilm-l6", help="what goes on learning")
    options.add_argument("--epochs", type=int, default=2, help="passes over the texts")
    options.add_argument("--each", type=int, default=5, help="labelled rows of each class")
    options.add_argument("--seeds", type=int, default=1, help="draws of the labelled rows")
    options.add_argument("--bundle", type=Path, help="a bundle that learned the texts already")
    options.add_argument("--threads", type=int, default=cores(), help="CPU threads")
    asked = options.parse_args()
    print(heading(asked.threads))
    with tempfile.TemporaryDirectory() as folder:
        bundle = asked.bundle or pretrained(asked, Path(folder) / "texts")
        for seed in range(asked.seeds):
            rows = drawn(asked.data / "banking77", Path(folder), asked.each, seed)
            for name, model in (("as it was", asked.model), ("from the texts", str(bundle))):
                found = accuracy(model, *rows, Path(folder) / "out", asked.threads)
                print(f"seed {seed}, {name}: accuracy {found:.4f}", flush=True)


def pretrained(asked: argparse.Namespace, out: Path) -> Path:
    """Learn from the train texts, print the perplexities, and return the bundle."""
    data = asked.data / "banking77"
    run = luthier.train(data / "train.jsonl", test=data / "test.jsonl", model=asked.model, out=out,
                        task="masked-language-modelling", prepare=SHARES, seed=1, threads=asked.threads,
                        train={"num_train_epochs": asked.epochs, "per_device_train_batch_size": 8})
    for name, system in run.scores["systems"].items():
        print(name, *(f"{metric} {system['metrics'][metric]:.4f}" for metric in ("perplexity", "accuracy")), flush=True)
    return run.path


def drawn(source: Path, folder: Path, each: int, seed: int) -> tuple[Path, Path]:
    """Write ``each`` train rows of every class, and ``TESTED`` test rows; return both files."""
    by_label = defaultdict(list)
    for line in (source / "train.jsonl").read_text(encoding="utf-8").splitlines():
        by_label[json.loads(line)["label"]].append(line)
    draw = random.Random(seed)  # noqa: S311  (reproducible, not secret)
    chosen = [line for label in sorted(by_label) for line in draw.sample(by_label[label], each)]
    tests = (source / "test.jsonl").read_text(encoding="utf-8").splitlines()
    files = folder / f"train-{seed}.jsonl", folder / f"test-{seed}.jsonl"
    for file, lines in zip(files, (chosen, random.Random(0).sample(tests, TESTED)), strict=True):  # noqa: S311
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return files


def accuracy(model: str, train: Path, test: Path, out: Path, threads: int) -> float:
    """Tune a classifier and return its accuracy."""
    run = luthier.train(train, test=test, model=model, out=out, prepare={"split": (0.8, 0.1, 0.1)}, seed=1,
                        threads=threads, progress=False, evaluation={"bootstrap": 100, "baseline": False,
                                                                     "untuned": False})
    return float(run.scores["systems"]["tuned"]["metrics"]["accuracy"])


if __name__ == "__main__":
    main()
