"""The other side for numbers: the usual script, one output and the mean squared error.

``python -m benchmarks.tasks.numbers.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks._trainer import BY_LOSS, arguments_of, label_logits
from benchmarks.tasks.family import read_lines, write_answer


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the least validation error, and give the test texts their numbers."""
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
    model = AutoModelForSequenceClassification.from_pretrained(job.model_path, num_labels=1, problem_type="regression")
    rows = {name: encode(getattr(job, name), tokenizer, job) for name in ("train", "valid", "test")}
    arguments = arguments_of(job, **{**BY_LOSS, "prediction_loss_only": False})
    trainer = Trainer(model=model, args=arguments, train_dataset=rows["train"], eval_dataset=rows["valid"],
                      processing_class=tokenizer, data_collator=DataCollatorWithPadding(tokenizer))
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    values = [float(row[0]) for row in label_logits(trainer, rows["test"])]
    write_answer(answer_file, seconds=seconds, rows=len(values), answering=time.perf_counter() - started, values=values,
                 steps=trainer.state.global_step)


def encode(path: str, tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return texts as token ids, with their numbers."""
    rows = read_lines(Path(path))
    encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=job.max_length)
    return [{**{key: encoded[key][place] for key in encoded}, "labels": float(row["value"])}
            for place, row in enumerate(rows)]


if __name__ == "__main__":
    main(*sys.argv[1:3])
