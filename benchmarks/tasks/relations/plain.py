"""The other side for relations: the usual script, markers as new tokens, a linear layer on the states at both.

``python -m benchmarks.tasks.relations.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks._trainer import arguments_of, label_logits, metrics
from benchmarks.tasks.family import read_lines, write_answer

MARKERS = {"head": ("<e1>", "</e1>"), "tail": ("<e2>", "</e2>")}


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the best epoch by macro F1 of the labels, and label the test pairs."""
    job = Job.read(job_file)
    splits = {name: read_lines(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    classifier = tuned(job, splits["train"], splits["valid"])
    started = time.perf_counter()
    labels = classifier.label(splits["test"])
    write_answer(answer_file, seconds=classifier.seconds, rows=len(labels), answering=time.perf_counter() - started,
                 labels=labels, steps=classifier.trainer.state.global_step)


@dataclass(frozen=True, slots=True)
class Classifier:
    """What the script leaves."""

    job: Job
    tokenizer: Any
    trainer: Any
    seconds: float
    """That tuning took."""

    def label(self, rows: Sequence[dict[str, Any]]) -> list[str]:
        """Return the label of each marked pair."""
        scores = label_logits(self.trainer, encode(rows, self.tokenizer, self.job)) if rows else []
        return [self.job.labels[int(row.argmax())] for row in scores]


def tuned(job: Job, train: Sequence[dict[str, Any]], valid: Sequence[dict[str, Any]]) -> Classifier:
    """Learn labels, and keep the epoch with the best macro F1 of the validation pairs."""
    import torch
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, set_seed

    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    tokenizer.add_tokens([mark for pair in MARKERS.values() for mark in pair], special_tokens=True)
    trainer = Trainer(model=entity_start(job, len(tokenizer)), args=arguments_of(job),
                      train_dataset=encode(train, tokenizer, job), eval_dataset=encode(valid, tokenizer, job),
                      processing_class=tokenizer, data_collator=DataCollatorWithPadding(tokenizer),
                      compute_metrics=metrics)
    started = time.perf_counter()
    trainer.train()
    return Classifier(job, tokenizer, trainer, time.perf_counter() - started)


def entity_start(job: Job, vocabulary: int) -> Any:
    """Return the model: the encoder, dropout, and a linear layer on the states at both opening markers."""
    import torch
    from transformers import AutoModel

    class EntityStart(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(job.model_path)
            self.encoder.resize_token_embeddings(vocabulary)
            self.dropout = torch.nn.Dropout(0.1)
            self.classifier = torch.nn.Linear(2 * self.encoder.config.hidden_size, len(job.labels))

        def forward(self, input_ids: Any, attention_mask: Any, heads: Any, tails: Any, labels: Any) -> dict[str, Any]:
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (B, T, D)
            rows = torch.arange(len(states), device=states.device)
            both = torch.cat([states[rows, heads], states[rows, tails]], dim=-1)
            logits = self.classifier(self.dropout(both))
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    return EntityStart()


def encode(rows: Sequence[dict[str, Any]], tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return the marked texts as token ids, with the places of both opening markers (0 where they are cut) and class
    numbers."""
    number = {name: place for place, name in enumerate(job.labels)}
    found = []
    marks = [tokenizer.convert_tokens_to_ids(opening) for opening, _ in MARKERS.values()]
    for row in rows:
        encoded = tokenizer(marked(row), truncation=True, max_length=job.max_length)
        ids = encoded["input_ids"]
        heads, tails = (ids.index(mark) if mark in ids else 0 for mark in marks)
        found.append({"input_ids": ids, "attention_mask": encoded["attention_mask"], "heads": heads, "tails": tails,
                      "labels": number.get(row["relation"], 0)})
    return found


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
