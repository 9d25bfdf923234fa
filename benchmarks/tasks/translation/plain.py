"""The other side for translation: the usual script around ``Trainer`` and ``model.generate``.

``python -m benchmarks.tasks.translation.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks._trainer import BY_LOSS, arguments_of
from benchmarks.tasks._written import written_sorted
from benchmarks.tasks.family import read_lines, write_answer
from benchmarks.tasks.translation import MOST_TOKENS

BATCH = 32
"""Texts that are written at once."""


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the least validation loss, and write the test texts."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, set_seed

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    model = AutoModelForSeq2SeqLM.from_pretrained(job.model_path)
    rows = {name: encode(getattr(job, name), tokenizer, job) for name in ("train", "valid", "test")}
    trainer = Trainer(model=model, args=arguments_of(job, **BY_LOSS), train_dataset=rows["train"],
                      eval_dataset=rows["valid"], processing_class=tokenizer,
                      data_collator=DataCollatorForSeq2Seq(tokenizer, model=model))
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    texts = written_sorted(model.eval(), tokenizer, [row["input_ids"] for row in rows["test"]], BATCH, most=MOST_TOKENS)
    write_answer(answer_file, seconds=seconds, rows=len(texts), answering=time.perf_counter() - started, texts=texts,
                 steps=trainer.state.global_step)


def encode(path: str, tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return sources and targets as token ids."""
    rows = read_lines(Path(path))
    encoded = tokenizer([row["source"] for row in rows], text_target=[row["target"] for row in rows], truncation=True,
                        max_length=job.max_length)
    return [{key: encoded[key][row] for key in ("input_ids", "attention_mask", "labels")} for row in range(len(rows))]


if __name__ == "__main__":
    main(*sys.argv[1:3])
