"""The other side: the usual script around ``transformers.Trainer``, with the settings that make it fastest here.

``python -m benchmarks._trainer JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks._job import Job, answer, read_rows
from luthier.recipe import spawn


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the best epoch, save it and label the test rows by argmax."""
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
    model = AutoModelForSequenceClassification.from_pretrained(
        job.model_path, id2label=dict(enumerate(job.labels)),
        label2id={name: number for number, name in enumerate(job.labels)},
    )
    model.load_state_dict(first_weights(job))
    train, valid, test = (encode(path, tokenizer, job) for path in (job.train, job.valid, job.test))
    arguments = arguments_of(job)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=train, eval_dataset=valid, processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer), compute_metrics=metrics,
    )
    started = time.perf_counter()
    trainer.train()
    tuning_seconds = time.perf_counter() - started
    trainer.save_model(str(Path(job.work) / "model"))
    chosen = label(trainer, test)
    answer(answer_file, chosen=chosen, tuning_seconds=tuning_seconds, notes={
        "bf16": arguments.bf16, "steps": trainer.state.global_step, "best_f1_macro": trainer.state.best_metric})


def first_weights(job: Job) -> dict[str, Any]:
    """Return the weights that Luthier's side starts from, new head and pooler included."""
    from luthier.models import build_classifier
    from luthier.schema import LabelSet

    return build_classifier(Path(job.model_path), LabelSet(job.labels), seed=spawn(job.seed, "head")).model.state_dict()


def encode(path: str, tokenizer: Any, job: Job) -> list[dict[str, Any]]:
    """Return the rows of a prepared file as token ids and class numbers."""
    texts, labels = read_rows(path)
    number = {name: index for index, name in enumerate(job.labels)}
    encoded = tokenizer(texts, truncation=True, max_length=job.max_length)
    return [{**{key: encoded[key][row] for key in encoded}, "labels": number[name]} for row, name in enumerate(labels)]


def arguments_of(job: Job, **other: Any) -> Any:
    """Return the ``TrainingArguments``: the job's settings, bf16 where this machine multiplies it, length groups; and
    what is given beside."""
    from transformers import TrainingArguments

    from luthier.tuning.precision import choose_device, choose_precision

    device = choose_device().value
    known = {field.name for field in fields(TrainingArguments)}
    # Transformers 5.2 gave the option another name.
    grouped = ({"train_sampling_strategy": "group_by_length"} if "train_sampling_strategy" in known
               else {"group_by_length": True})
    warmup = {"warmup_ratio": job.warmup_ratio} if "warmup_ratio" in known else {"warmup_steps": job.warmup_ratio}
    best = {"metric_for_best_model": "f1_macro", "greater_is_better": True, "per_device_eval_batch_size": 64}
    return TrainingArguments(
        output_dir=str(Path(job.work) / "trainer"), seed=job.seed, num_train_epochs=job.epochs,
        learning_rate=job.learning_rate, per_device_train_batch_size=job.batch_size, weight_decay=job.weight_decay,
        lr_scheduler_type=job.scheduler, bf16=choose_precision("auto", device).value == "bf16",
        use_cpu=device == "cpu", eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, save_only_model=True,
        load_best_model_at_end=True, dataloader_num_workers=0, dataloader_pin_memory=False, report_to="none",
        disable_tqdm=True, **{**best, **grouped, **warmup, **other},
    )


BY_LOSS = {"metric_for_best_model": "eval_loss", "greater_is_better": False, "prediction_loss_only": True}
"""What ``arguments_of`` is given beside where the best epoch is the one of the least validation loss."""


def metrics(evaluated: Any) -> dict[str, float]:
    """Return macro F1 of the validation rows: ``evaluated`` holds logits (N, C) float32 and labels (N,) int64."""
    from sklearn.metrics import f1_score

    return {"f1_macro": float(f1_score(evaluated.label_ids, evaluated.predictions.argmax(-1), average="macro"))}


def label(trainer: Any, rows: list[dict[str, Any]]) -> list[int]:
    """Return the class number given to each row, in the order of the rows."""
    return [int(scores.argmax()) for scores in label_logits(trainer, rows)]


def label_logits(trainer: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """Return the logits of each row, (C,) or (T, C) float32, or a tuple of such, in the order of the rows."""
    # With length groups the Trainer shuffles rows even to predict. Sorting by hand is as fast and keeps the order.
    if hasattr(trainer.args, "train_sampling_strategy"):
        trainer.args.train_sampling_strategy = "sequential"
    else:
        trainer.args.group_by_length = False
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]["input_ids"]))
    given = trainer.predict([rows[row] for row in order]).predictions
    found: list[Any] = [None] * len(rows)
    for row, scores in zip(order, zip(*given, strict=True) if isinstance(given, tuple) else given, strict=True):
        found[row] = scores
    return found


if __name__ == "__main__":
    main(*sys.argv[1:3])
