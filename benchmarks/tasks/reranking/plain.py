"""The other side for re-ranking: the usual cross-encoder, one output for a pair and the binary cross entropy.

``python -m benchmarks.tasks.reranking.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks._trainer import BY_LOSS, arguments_of, label_logits
from benchmarks.tasks.family import read_lines, write_answer
from benchmarks.tasks.reranking import NEGATIVES, passages_of

Pairs = list[tuple[str, str]]


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the least validation loss, and order the passages of the test questions."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        set_seed,
    )

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    model = AutoModelForSequenceClassification.from_pretrained(job.model_path, num_labels=1,
                                                               problem_type="multi_label_classification")
    splits = {name: read_lines(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    rows = {name: judged(splits[name], tokenizer, job) for name in ("train", "valid")}
    pairs_at_once = replace(job, batch_size=job.batch_size * (1 + NEGATIVES))
    trainer = Trainer(model=model, args=arguments_of(pairs_at_once, **BY_LOSS), train_dataset=rows["train"],
                      eval_dataset=rows["valid"], processing_class=tokenizer,
                      data_collator=DataCollatorWithPadding(tokenizer))
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    trainer.args.prediction_loss_only = False  # it is asked for scores now
    started = time.perf_counter()
    asked = [[(row["query"], passage) for passage in passages_of(row)] for row in splits["test"]]
    pairs = encode([pair for row in asked for pair in row], tokenizer, job)
    scores = iter([float(one[0]) for one in label_logits(trainer, pairs)])
    orders = [ordered([next(scores) for _ in row]) for row in asked]
    write_answer(answer_file, seconds=seconds, rows=len(pairs), answering=time.perf_counter() - started, orders=orders,
                 steps=trainer.state.global_step)


def judged(rows: Sequence[Any], tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return each question with each of its passages as token ids, with 1 where it is right."""
    pairs = [(row["query"], text, float(side == "pos"))
             for row in rows for side in ("pos", "neg") for text in row[side]]
    encoded = encode([(query, text) for query, text, _ in pairs], tokenizer, job)
    return [{**row, "labels": [right]} for row, (*_, right) in zip(encoded, pairs, strict=True)]


def encode(pairs: Pairs, tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return pairs as token ids."""
    encoded = tokenizer([pair[0] for pair in pairs], [pair[1] for pair in pairs], truncation=True,
                        max_length=job.max_length)
    return [{key: encoded[key][place] for key in encoded} for place in range(len(pairs))]


def ordered(scores: Sequence[float]) -> list[int]:
    """Return the numbers of the highest score first."""
    return sorted(range(len(scores)), key=lambda number: -scores[number])


if __name__ == "__main__":
    main(*sys.argv[1:3])
