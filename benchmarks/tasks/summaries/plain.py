"""The other side for summaries: the usual script, peft around ``Trainer``, the chat template, labels on answers alone.

``python -m benchmarks.tasks.summaries.plain JOB.json ANSWER.json``
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
from benchmarks.tasks.summaries import ALPHA, MOST_TOKENS, RANK

IGNORED = -100
BATCH = 8
"""Texts that are written at once."""


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the epoch of the least validation loss, and write the test summaries."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, set_seed

    job = Job.read(job_file)
    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path, padding_side="left")
    base = AutoModelForCausalLM.from_pretrained(job.model_path)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, lora_dropout=0.0,
                                            target_modules="all-linear"))
    rows = {name: encode(getattr(job, name), tokenizer, job) for name in ("train", "valid")}
    arguments = arguments_of(job, **BY_LOSS, per_device_eval_batch_size=job.batch_size, label_names=["labels"])
    trainer = Trainer(model=model, args=arguments, train_dataset=rows["train"], eval_dataset=rows["valid"],
                      processing_class=tokenizer, data_collator=DataCollatorForSeq2Seq(tokenizer))
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    asked = [prompt(row["messages"][0]["content"], tokenizer, job) for row in read_lines(Path(job.test))]
    with torch.autocast("cpu" if arguments.use_cpu else "cuda", torch.bfloat16, enabled=arguments.bf16):
        texts = written_sorted(model.eval(), tokenizer, asked, BATCH, most=MOST_TOKENS)
    write_answer(answer_file, seconds=seconds, rows=len(texts), answering=time.perf_counter() - started, texts=texts,
                 steps=trainer.state.global_step)


def encode(path: str, tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return prompts with their answers as token ids, and the answers with their ends as targets."""
    found = []
    for row in read_lines(Path(path)):
        question, answer = (one["content"] for one in row["messages"])
        asked = prompt(question, tokenizer, job)
        said = tokenizer(f"{answer}{tokenizer.eos_token}", add_special_tokens=False)["input_ids"]
        ids = (asked + said)[: job.max_length]
        found.append({"input_ids": ids, "attention_mask": [1] * len(ids),
                      "labels": ([IGNORED] * len(asked) + said)[: job.max_length]})
    return found


def prompt(question: str, tokenizer: Any, job: Job) -> list[int]:
    """Return the ids of a question in the model's template; its end is cut where no room for an answer would be left.
    """
    room = job.max_length - MOST_TOKENS

    def written(text: str) -> list[int]:
        ids: list[int] = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True,
                                                       return_dict=False)
        return ids

    ids = written(question)
    if len(ids) <= room:
        return ids
    own = tokenizer(question, add_special_tokens=False)["input_ids"]
    return written(tokenizer.decode(own[: len(own) - (len(ids) - room)]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
