"""The other side for relations: the usual script, markers as new tokens, a class read off the first token.

``python -m benchmarks.tasks.relations.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks._trainer import arguments_of, label_logits, metrics
from benchmarks.tasks.family import write_answer

MARKERS = {"head": ("<e1>", "</e1>"), "tail": ("<e2>", "</e2>")}


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the best epoch by macro F1 of the labels, and label the test pairs."""
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
    tokenizer.add_tokens([mark for pair in MARKERS.values() for mark in pair], special_tokens=True)
    model = AutoModelForSequenceClassification.from_pretrained(job.model_path, num_labels=len(job.labels))
    model.resize_token_embeddings(len(tokenizer))
    splits = {name: [json.loads(line) for line in Path(getattr(job, name)).read_text(encoding="utf-8").splitlines()]
              for name in ("train", "valid", "test")}
    rows = {name: encode(splits[name], tokenizer, job) for name in ("train", "valid")}
    trainer = Trainer(model=model, args=arguments_of(job), train_dataset=rows["train"], eval_dataset=rows["valid"],
                      processing_class=tokenizer, data_collator=DataCollatorWithPadding(tokenizer),
                      compute_metrics=metrics)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    scores = label_logits(trainer, encode(splits["test"], tokenizer, job))
    labels = [job.labels[int(row.argmax())] for row in scores]
    write_answer(answer_file, seconds=seconds, rows=len(labels), answering=time.perf_counter() - started, labels=labels,
                 steps=trainer.state.global_step)


def encode(rows: Sequence[dict[str, Any]], tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return the marked texts as token ids, with class numbers where the label is known."""
    number = {name: place for place, name in enumerate(job.labels)}
    encoded = tokenizer([marked(row) for row in rows], truncation=True, max_length=job.max_length)
    return [{**{key: encoded[key][place] for key in encoded}, "labels": number.get(row["relation"], 0)}
            for place, row in enumerate(rows)]


def marked(row: dict[str, Any]) -> str:
    """Return the text with markers around both stretches."""
    text: str = row["text"]
    places = [(row[side][end], mark) for side, marks in MARKERS.items()
              for end, mark in zip(("start", "end"), marks, strict=True)]
    for place, mark in sorted(places, key=lambda one: -one[0]):
        text = f"{text[:place]} {mark} {text[place:]}"
    return text


if __name__ == "__main__":
    main(*sys.argv[1:3])
