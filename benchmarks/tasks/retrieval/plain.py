"""The other side for retrieval: the usual loop, in-batch negatives over mean-pooled vectors.

``python -m benchmarks.tasks.retrieval.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines, write_answer
from benchmarks.tasks.retrieval import passages_of, ranked
from luthier.schema import Float32
from luthier.tasks import ranking_scores

SCALE = 20.0
BATCH = 32
"""Texts embedded at once, when they are not learned from."""


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the best epoch by nDCG@10 of the validation rows, and rank the answers of the test questions."""
    import torch
    from transformers import AutoModel, AutoTokenizer, set_seed

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer, model = AutoTokenizer.from_pretrained(job.model_path), AutoModel.from_pretrained(job.model_path)
    rows = {name: read_lines(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    started = time.perf_counter()
    tune(model, tokenizer, rows["train"], rows["valid"], job)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    found = ranks_of(model, tokenizer, rows["test"], job)
    write_answer(answer_file, seconds=seconds, rows=len(rows["test"]) + len(passages_of(rows["test"])),
                 answering=time.perf_counter() - started, ranks=found)


def tune(model: Any, tokenizer: Any, rows: Sequence[Any], valid: Sequence[Any], job: Job) -> None:
    """Learn each question with each of its answers, in bf16 where the machine multiplies it."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    from luthier.tuning.precision import choose_device, choose_precision

    device = choose_device().value
    model.to(device)
    pairs = [(row["query"], text) for row in rows for text in row["pos"]]
    steps = -(-len(pairs) // job.batch_size) * job.epochs
    optimizer = torch.optim.AdamW(model.parameters(), lr=job.learning_rate, weight_decay=job.weight_decay)
    schedule = get_linear_schedule_with_warmup(optimizer, int(job.warmup_ratio * steps), steps)
    mixed = choose_precision("auto", device).value == "bf16"
    random, best, kept = np.random.default_rng(job.seed), -1.0, model.state_dict()
    for _ in range(job.epochs):
        model.train()
        order = random.permutation(len(pairs))
        for start in range(0, len(pairs), job.batch_size):
            part = [pairs[number] for number in order[start : start + job.batch_size]]
            with torch.autocast(device, torch.bfloat16, enabled=mixed):
                queries, passages = (vectors(model, tokenizer, [pair[side] for pair in part], job) for side in (0, 1))
                loss = torch.nn.functional.cross_entropy(SCALE * queries @ passages.T,
                                                         torch.arange(len(part), device=device))
            loss.backward()  # type: ignore[no-untyped-call]  # torch types it so
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        found = [np.array(row) for row in ranks_of(model, tokenizer, valid, job)]
        score = float(ranking_scores(found)["ndcg@10"].mean())
        if score > best:
            best, kept = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)


def vectors(model: Any, tokenizer: Any, texts: Sequence[str], job: Job) -> Any:
    """Return the mean over the tokens of each text, at length 1, (N, D)."""
    import torch

    batch = tokenizer(list(texts), padding=True, truncation=True, max_length=job.max_length,
                      return_tensors="pt").to(model.device)
    mask = batch["attention_mask"].unsqueeze(-1)  # (N, T, 1)
    states = model(**batch).last_hidden_state  # (N, T, D)
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def embedded(model: Any, tokenizer: Any, texts: Sequence[str], job: Job, size: int = BATCH) -> Float32:
    """Return the vectors of texts, (N, D) float32, computed in batches in their order."""
    import torch

    with torch.inference_mode():
        parts = [vectors(model.eval(), tokenizer, texts[start : start + size], job).float().cpu().numpy()
                 for start in range(0, len(texts), size)]
    return np.concatenate(parts)


def ranks_of(model: Any, tokenizer: Any, rows: Sequence[Any], job: Job) -> list[list[int]]:
    """Return where the answers of each question stand."""
    return ranked(embedded(model, tokenizer, [row["query"] for row in rows], job),
                  embedded(model, tokenizer, passages_of(rows), job), rows)


if __name__ == "__main__":
    main(*sys.argv[1:3])
