"""The other side for questions: the usual script, windows with a stride, the best sum of two logits.

``python -m benchmarks.tasks.answers.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._job import Job
from benchmarks._trainer import arguments_of, label_logits
from benchmarks.tasks.answers import read_questions
from benchmarks.tasks.family import write_answer

MOST_TOKENS, BEST = 30, 20
"""Of an answer; and starts and ends that are tried of each window."""
MODEL_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "start_positions", "end_positions")


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch that hits most places, and answer the test questions."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer, DataCollatorWithPadding, Trainer, set_seed

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    model = AutoModelForQuestionAnswering.from_pretrained(job.model_path)
    splits = {name: read_questions(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    rows = {name: model_rows(windows(splits[name], tokenizer, job, learning=True)) for name in ("train", "valid")}

    def metrics(evaluated: Any) -> dict[str, float]:
        hits = [said.argmax(-1) == true for said, true in zip(evaluated.predictions, evaluated.label_ids, strict=True)]
        return {"f1_macro": float(np.mean(hits))}  # the name that both sides' arguments look for

    trainer = Trainer(model=model, args=arguments_of(job), train_dataset=rows["train"], eval_dataset=rows["valid"],
                      processing_class=tokenizer, data_collator=DataCollatorWithPadding(tokenizer),
                      compute_metrics=metrics)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    asked = windows(splits["test"], tokenizer, job, learning=False)
    answers = read_off(splits["test"], asked, label_logits(trainer, model_rows(asked)))
    write_answer(answer_file, seconds=seconds, rows=len(answers), answering=time.perf_counter() - started,
                 answers=answers, steps=trainer.state.global_step)


def stride_of(job: Job) -> int:
    """Return the tokens that two windows share: a third, as the usual 128 of 384."""
    return job.max_length // 3


def windows(rows: Sequence[dict[str, Any]], tokenizer: Any, job: Job, *, learning: bool) -> list[dict[str, Any]]:
    """Return the windows of each context with their row and offsets, and where the first answer stands in them."""
    found = []
    encoded = tokenizer([row["question"] for row in rows], [row["context"] for row in rows], truncation="only_second",
                        max_length=job.max_length, stride=stride_of(job), return_overflowing_tokens=True,
                        return_offsets_mapping=True)
    for number, row in enumerate(encoded["overflow_to_sample_mapping"]):
        part = {key: encoded[key][number] for key in MODEL_INPUTS if key in encoded}
        offsets = [place if side == 1 else None
                   for place, side in zip(encoded["offset_mapping"][number], encoded.sequence_ids(number), strict=True)]
        if learning:
            part["start_positions"], part["end_positions"] = positions(rows[row]["answers"], offsets)
        found.append({**part, "row": row, "offsets": offsets})
    return found


def positions(answers: Sequence[dict[str, Any]], offsets: Sequence[tuple[int, int] | None]) -> tuple[int, int]:
    """Return the tokens of the first answer that stands in the context; (0, 0) where the window has not all of it."""
    answer = next(one for one in answers if one["start"] >= 0)
    start, end = answer["start"], answer["start"] + len(answer["text"])
    places = [number for number, place in enumerate(offsets) if place and place[1] > start and place[0] < end]
    real = [place for place in offsets if place]
    if not places or real[0][0] > start or real[-1][1] < end:
        return 0, 0
    return places[0], places[-1]


def model_rows(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the model takes."""
    return [{key: part[key] for key in MODEL_INPUTS if key in part} for part in parts]


def read_off(rows: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]], logits: Sequence[Any]) -> list[str]:
    """Return the answer of each row: the stretch with the best sum of two logits over its windows."""
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(rows)
    for part, (starts, ends) in zip(asked, logits, strict=True):
        offsets, row = part["offsets"], part["row"]
        places = [number for number, place in enumerate(offsets) if place]
        for first in sorted(places, key=lambda number: -starts[number])[:BEST]:
            for last in sorted(places, key=lambda number: -ends[number])[:BEST]:
                if first <= last < first + MOST_TOKENS and starts[first] + ends[last] > best[row][0]:
                    text = rows[row]["context"][offsets[first][0]: offsets[last][1]]
                    best[row] = float(starts[first] + ends[last]), text
    return [text for _, text in best]


if __name__ == "__main__":
    main(*sys.argv[1:3])
