"""Retrieval on the questions of a bank, and vectors a second beside plain mean pooling with transformers.

    python -m benchmarks.similarity --data DIR         # some five minutes on one core

``DIR`` holds ``bank_faq_en/all.jsonl`` with ``question`` and ``answer``. 800 different questions are drawn; each looks
for its answer among all answers of the test rows.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import luthier
from benchmarks._machine import heading
from luthier.inference import Predictor
from luthier.models.hardware import cores

QUESTIONS = 800
BATCH = 32
"""Rows of a batch of the plain loop, in the order of the file: what the model cards show."""
SPEED_ROWS = 640
REPEATS = 3
METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@10")


def main() -> None:
    """Tune, score and measure, and print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder with bank_faq_en/all.jsonl")
    options.add_argument("--model", default="minilm-l6", help="what is tuned")
    options.add_argument("--threads", type=int, default=cores(), help="CPU threads")
    asked = options.parse_args()
    print(heading(asked.threads))
    with tempfile.TemporaryDirectory() as folder:
        rows = drawn(asked.data / "bank_faq_en" / "all.jsonl", Path(folder) / "rows.jsonl")
        run = luthier.train(rows, task="similarity", model=asked.model, out=Path(folder) / "out", threads=asked.threads,
                            overrides=["model.max_length=128"])
        for name, system in run.scores["systems"].items():
            print(name, *(f"{metric} {system['metrics'][metric]:.3f}" for metric in METRICS))
        texts = [json.loads(line)["question"] for line in rows.read_text(encoding="utf-8").splitlines()][:SPEED_ROWS]
        for name, speed, least in speeds(run.path, texts, asked.threads):
            print(f"{name}: {speed:.0f} texts/s, least cosine with the plain loop {least:.6f}")


def drawn(source: Path, out: Path) -> Path:
    """Write the rows of ``QUESTIONS`` different questions, the same ones each time."""
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    questions = sorted({row["question"] for row in rows})
    random.Random(0).shuffle(questions)  # noqa: S311  (reproducible, not secret)
    kept = set(questions[:QUESTIONS])
    out.write_text("".join(json.dumps({name: row[name] for name in ("question", "answer")}, ensure_ascii=False) + "\n"
                           for row in rows if row["question"] in kept), encoding="utf-8")
    return out


def speeds(bundle: Path, texts: Sequence[str], threads: int) -> list[tuple[str, float, float]]:
    """Return of the plain loop and of each backend: name, texts a second, least cosine with the plain loop."""
    import torch

    torch.set_num_threads(threads)
    speed, expected = timed(plain(bundle), texts)
    found = [("transformers, mean pooling", speed, 1.0)]
    for name in ("torch", "torch-bf16", "native", "onnxruntime", "openvino"):
        with Predictor.open(bundle, backend=name, threads=threads) as predictor:
            speed, answers = timed(predictor.predict, texts)
            vectors = np.stack([answer.vector for answer in answers])
            found.append((f"luthier, {name}", speed, float((vectors * expected).sum(1).min())))
    return found


def plain(bundle: Path) -> Callable[[Sequence[str]], Any]:
    """Return mean pooling as model cards show it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(bundle), AutoModel.from_pretrained(bundle).eval()

    def embed(texts: Sequence[str]) -> Any:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                part = list(texts[start : start + BATCH])
                batch = tokenizer(part, padding=True, truncation=True, return_tensors="pt")
                mask = batch["attention_mask"].unsqueeze(-1)
                states = model(**batch).last_hidden_state
                parts.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
        return torch.cat(parts).numpy()

    return embed


def timed(run: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> tuple[float, Any]:
    """Return texts a second of the best of ``REPEATS`` runs behind a first one, and what came of it."""
    found = run(texts)
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        run(texts)
        best = min(best, time.perf_counter() - began)
    return len(texts) / best, found


if __name__ == "__main__":
    main()
