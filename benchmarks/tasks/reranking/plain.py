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

import numpy as np

from benchmarks._job import Job
from benchmarks._trainer import arguments_of, label_logits
from benchmarks.tasks.family import read_lines, write_answer
from benchmarks.tasks.reranking import NEGATIVES, passages_of
from luthier.tasks import ranking_scores

Pairs = list[tuple[str, str]]


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the best nDCG@10 of the validation questions, and order the test questions' passages."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, set_seed

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    model = AutoModelForSequenceClassification.from_pretrained(job.model_path, num_labels=1)
    splits = {name: read_lines(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    rows = {name: judged(splits[name], tokenizer, job) for name in ("train", "valid")}

    def metrics(evaluated: Any) -> dict[str, float]:
        scores = iter(evaluated.predictions[:, 0].tolist())
        found = []
        for row in splits["valid"]:
            order = ordered([next(scores) for _ in (*row["pos"], *row["neg"])])
            found.append(np.array([place for place, number in enumerate(order, 1) if number < len(row["pos"])]))
        return {"f1_macro": float(ranking_scores(found)["ndcg@10"].mean())}  # the name that the arguments look for

    pairs_at_once = replace(job, batch_size=job.batch_size * (1 + NEGATIVES))
    trainer = reader(model=model, args=arguments_of(pairs_at_once), train_dataset=rows["train"],
                     eval_dataset=rows["valid"], processing_class=tokenizer,
                     data_collator=DataCollatorWithPadding(tokenizer), compute_metrics=metrics)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    asked = [[(row["query"], passage) for passage in passages_of(row)] for row in splits["test"]]
    pairs = encode([pair for row in asked for pair in row], tokenizer, job)
    scores = iter([float(one[0]) for one in label_logits(trainer, [{**pair, "labels": 0.0} for pair in pairs])])
    orders = [ordered([next(scores) for _ in row]) for row in asked]
    write_answer(answer_file, seconds=seconds, rows=len(pairs), answering=time.perf_counter() - started, orders=orders,
                 steps=trainer.state.global_step)


def reader(**given: Any) -> Any:
    """Return a ``Trainer`` with the binary cross entropy, which validates rows in their order."""
    import torch
    from transformers import Trainer

    class Reader(Trainer):  # type: ignore[misc]  # transformers brings no types
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002 - as transformers calls it
            labels = inputs.pop("labels")
            output = model(**inputs)
            logits = output.logits[:, 0].float()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, labels.float(), pos_weight=torch.tensor(float(NEGATIVES), device=logits.device))
            return (loss, output) if return_outputs else loss

        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return torch.utils.data.SequentialSampler(eval_dataset)

    return Reader(**given)


def judged(rows: Sequence[Any], tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return each question with each of its passages as token ids, with 1 where it is right."""
    pairs = [(row["query"], text, float(side == "pos"))
             for row in rows for side in ("pos", "neg") for text in row[side]]
    encoded = encode([(query, text) for query, text, _ in pairs], tokenizer, job)
    return [{**row, "labels": right} for row, (*_, right) in zip(encoded, pairs, strict=True)]


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
