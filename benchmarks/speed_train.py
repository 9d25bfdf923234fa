"""How fast the loop tunes, beside ``transformers.Trainer`` with its defaults and with the best settings found for it.

    python -m benchmarks.speed_train --data DIR                          # about half an hour on two cores
    python -m benchmarks.speed_train --data DIR --model minilm-l6 --tokens 28 --rounds 5

All sides tune the same weights on the same token ids, for one epoch of the same effective batch and learning rate, in
one process and in turns. What is timed is the steps, without validation, checkpoints and imports. Texts are sentences
of SST-2, joined until they have the wanted number of tokens.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import heading
from benchmarks._roofline import Share, forward_flops, measure_shapes
from benchmarks._speed import Compared, take_turns
from benchmarks._texts import joined, sentences
from luthier.errors import LuthierError
from luthier.models import build_classifier
from luthier.models.encoding import Encoder, Ragged
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.schema import Int64, LabelSet

MODELS = ("minilm-l6", "e5-small")
TOKENS = {28: 4096, 128: 384, 512: 96}
"""Mean tokens of a text -> rows of one round."""
LONGEST = 512
BATCH = 32
LEARNING_RATE = 5e-5
LABELS = LabelSet(tuple(f"class {number}" for number in range(77)))
SIDES = ("luthier", "trainer, best", "trainer, defaults")
BEST = {"bf16": True}
"""With length groups and, as Luthier has it, without dropout of attention weights, which keeps torch from its fused
attention: 8 texts/s instead of 1.5 at 512 tokens. The fused AdamW is the Trainer's default by now."""
EAGER_UP_TO = 64
"""Mean tokens up to which plain attention is faster than the fused one on a CPU: 137 texts/s against 94 at 28."""
BEST_ON_GPU = {"tf32": True, "dataloader_num_workers": 4}
"""Beside these, where there is a GPU."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every side gets."""

    model: str
    encoder: Encoder
    ragged: Ragged
    targets: Int64
    batch: int = BATCH

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as the Trainer takes them."""
        return [{"input_ids": ids, "attention_mask": [1] * len(ids), "labels": int(label)}
                for ids, label in zip(self.ragged.ids, self.targets, strict=True)]


@dataclass(slots=True)
class Clock:
    """Seconds from the beginning of the first step to the end of the last."""

    began: float = 0.0
    ended: float = 0.0
    losses: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Return what the steps took."""
        return self.ended - self.began


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    told = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed_train", description=told)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with sst2/train.jsonl")
    add("--model", action="append", help=f"one or several; {' and '.join(MODELS)} when left out")
    add("--tokens", type=int, action="append", choices=TOKENS, help="mean tokens of a text; all when left out")
    add("--rounds", type=int, default=5, help="measured rounds")
    add("--threads", type=int, default=cores(), help="CPU threads; all cores when left out")
    add("--rows", type=int, help="rows of one round: fewer for a trial, more for a GPU")
    add("--batch", type=int, default=BATCH, help="rows of a step")
    said = parser.parse_args(arguments)
    try:
        import torch

        torch.set_num_threads(said.threads)
        print(heading(said.threads), flush=True)
        for name in said.model or MODELS:
            for tokens in said.tokens or TOKENS:
                work = make_work(name, tokens, said.data, said.rows or TOKENS[tokens], said.batch)
                compare(work, tokens, said.rounds)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def compare(work: Work, tokens: int, rounds: int) -> Compared:
    """Measure one model at one length and print what came."""
    rows, total = len(work.ragged), int(work.ragged.lengths.sum())
    print(f"\n{work.model}, {rows} texts of {total / rows:.0f} tokens on average, "
          f"{work.ragged.lengths.max()} at most; batch {work.batch}", flush=True)
    compared = take_turns({
        "luthier": lambda: luthier_seconds(work),
        "trainer, best": lambda: trainer_seconds(work, best=True),
        "trainer, defaults": lambda: trainer_seconds(work, best=False),
    }, rounds)
    for side in SIDES:
        taken = compared.median(side)
        print(f"  {side:18} {rows / taken:8.1f} texts/s, {total / taken:9,.0f} tokens/s")
    for other in SIDES[1:]:
        print(f"  luthier is {compared.ratio('luthier', other)} as fast as {other}")
    flops = 3 * forward_flops(work.model, work.ragged.lengths)
    shares = [Share(side, flops / compared.median(side)) for side in SIDES]
    print("\n".join(f"  {line}" for line in measure_shapes(work.model, work.batch * tokens, shares)), flush=True)
    return compared


def make_work(name: str, tokens: int, data: Path, rows: int, batch: int = BATCH) -> Work:
    """Join sentences to texts of about so many tokens and encode them.

    Raises:
        DataError: the sentences are not there.
    """
    source = sentences(data)
    random = np.random.default_rng(0)
    encoder = Encoder.load(resolve(name).path, max_length=LONGEST)
    # Half to one and a half times the mean, or the longest where that is what is asked for.
    wanted = np.full(rows, tokens) if tokens >= LONGEST else random.integers(tokens // 2, tokens * 3 // 2 + 1, rows)
    ragged = encoder.encode_ragged([joined(source, int(count), random) for count in wanted])
    cut = Ragged([[*ids[: count - 1], ids[-1]] if len(ids) > count else ids
                  for ids, count in zip(ragged.ids, wanted, strict=True)], None, ragged.truncated)
    return Work(name, encoder, cut, random.integers(0, len(LABELS), rows), batch)


def luthier_seconds(work: Work) -> float:
    """Tune with Luthier's loop and return the seconds of its steps."""
    import time

    from luthier.recipe import TrainSettings, ValidationSettings
    from luthier.tasks import text_classification
    from luthier.tuning import Encoded, Events, Job, fit

    clock = Clock()

    def listen(event: Any) -> None:
        if event["event"] == "run_started":
            clock.began = time.perf_counter()
        elif event["event"] == "step":
            clock.ended = time.perf_counter()
            clock.losses.append(event["loss"])

    few = Ragged(work.ragged.ids[:4], None, work.ragged.truncated[:4])
    with tempfile.TemporaryDirectory() as place:
        fit(Job(
            model=build_classifier(resolve(work.model).path, LABELS, attention_dropout=0.0).model, encoder=work.encoder,
            task=text_classification, labels=LABELS, train=Encoded(work.ragged, work.targets),
            valid=Encoded(few, work.targets[:4]),
            train_settings=TrainSettings(learning_rate=LEARNING_RATE, num_train_epochs=1, class_weights="none",
                                         per_device_train_batch_size=work.batch),
            validation=ValidationSettings(early_stopping_patience=None), seed=1, directory=Path(place),
            fingerprint="speed",
        ), Events(None, [listen]))
    return clock.seconds


def trainer_seconds(work: Work, *, best: bool) -> float:
    """Tune with the Trainer and return the seconds of its steps."""
    import time

    import torch
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    clock, gpu = Clock(), torch.cuda.is_available()

    class Watch(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.began = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.ended = time.perf_counter()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            if gpu:  # the last steps are still under way; Luthier has read their losses when it tells of them
                torch.cuda.synchronize()
                clock.ended = time.perf_counter()

    known = {one.name for one in TrainingArguments.__dataclass_fields__.values()}
    grouped = {"train_sampling_strategy": "group_by_length"} if "train_sampling_strategy" in known else {
        "group_by_length": True}
    eager = not gpu and work.ragged.lengths.mean() <= EAGER_UP_TO
    shape: dict[str, Any] = {"attention_dropout": 0.0, "attention": "eager" if eager else "sdpa"}
    tokenizer = AutoTokenizer.from_pretrained(resolve(work.model).path)
    with tempfile.TemporaryDirectory() as place:
        trainer = Trainer(
            model=build_classifier(resolve(work.model).path, LABELS, **(shape if best else {})).model.train(),
            args=TrainingArguments(
                output_dir=place, seed=1, num_train_epochs=1, learning_rate=LEARNING_RATE,
                per_device_train_batch_size=work.batch, weight_decay=0.01, save_strategy="no", report_to="none",
                disable_tqdm=True, logging_strategy="no", use_cpu=not gpu,
                dataloader_pin_memory=gpu,
                **({**BEST, **grouped, **(BEST_ON_GPU if gpu else {})} if best else {})),
            train_dataset=work.rows(), data_collator=DataCollatorWithPadding(tokenizer), callbacks=[Watch()],
        )
        trainer.train()
    return clock.seconds


if __name__ == "__main__":
    sys.exit(main())
