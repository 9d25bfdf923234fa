"""The other side for hidden tokens: blocks and collator as in transformers' ``run_mlm``.

``python -m benchmarks.tasks.modelling.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._job import Job
from benchmarks._trainer import BY_LOSS, arguments_of
from benchmarks.tasks.family import read_lines, write_answer
from luthier.models.blocks import BlockEncoder
from luthier.models.masked import build_masked
from luthier.recipe import spawn
from luthier.schema import Document, LabelSet

SHARE = 0.15
BATCH = 32
"""Test blocks asked at once."""
OUTPUTS = LabelSet(("token",), "masked_language_modelling")


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the least validation loss, and tell the hidden tokens of the test texts."""
    import torch
    from transformers import (
        AutoModelForMaskedLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        set_seed,
    )

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path)
    texts = {name: [row["text"] for row in read_lines(Path(getattr(job, name)))] for name in ("train", "valid", "test")}
    rows = {name: blocks(texts[name], tokenizer, job) for name in ("train", "valid")}
    model = AutoModelForMaskedLM.from_pretrained(job.model_path)
    model.load_state_dict(build_masked(Path(job.model_path), OUTPUTS, seed=spawn(job.seed, "head")).model.state_dict())
    arguments = arguments_of(job, **BY_LOSS, per_device_eval_batch_size=job.batch_size)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows["train"],
                      eval_dataset=rows["valid"], processing_class=tokenizer,
                      data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=SHARE))
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    found = likelihoods(trainer.model.eval(), texts["test"], job)
    write_answer(answer_file, seconds=seconds, rows=len(found), answering=time.perf_counter() - started,
                 likelihoods=found, steps=trainer.state.global_step)


def blocks(texts: Sequence[str], tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return the texts one after the other in blocks of the longest length, the last of which may be shorter."""
    ids = list(chain.from_iterable(tokenizer(list(texts))["input_ids"]))
    parts = [ids[start : start + job.max_length] for start in range(0, len(ids), job.max_length)]
    return [{"input_ids": part, "attention_mask": [1] * len(part)} for part in parts]


def likelihoods(model: Any, texts: Sequence[str], job: Job) -> list[list[float]]:
    """Return of each text how likely its hidden tokens are (natural logarithm), how many, and how many are told.

    The tokens are those that Luthier hides.
    """
    import torch

    encoder = BlockEncoder.load(Path(job.model_path), max_length=job.max_length, normalize="nfc", mlm_probability=SHARE)
    ragged = encoder.encode_ragged([Document(text) for text in texts])
    given, wanted = encoder.hidden(ragged)
    assert given.owners is not None  # noqa: S101 - documents have them
    found = np.zeros((len(texts), 3))
    order = np.argsort(given.lengths, kind="stable")
    for rows in np.array_split(order, -(-len(order) // BATCH)):
        batch = encoder.collate(given, rows)
        with torch.inference_mode():
            logits = model(input_ids=torch.from_numpy(batch.ids).to(model.device),
                           attention_mask=torch.from_numpy(batch.mask.astype(np.int64)).to(model.device)).logits
        for row, scores in zip(rows.tolist(), logits.float().log_softmax(-1).cpu().numpy(), strict=True):
            places = np.flatnonzero(wanted[row] >= 0)
            own = scores[places]  # (M, V)
            right = wanted[row][places]
            found[given.owners[row]] += (own[np.arange(len(places)), right].sum(), len(places),
                                         (own.argmax(-1) == right).sum())
    return [[float(value) for value in row] for row in found.tolist()]


if __name__ == "__main__":
    main(*sys.argv[1:3])
