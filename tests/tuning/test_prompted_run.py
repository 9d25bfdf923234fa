"""Decoders tuned behind a prompt: a step's loss is the library's own over the tokens of targets and their ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from luthier.models.prompted import continued_encoder
from luthier.models.tiny_generators import make_causal
from luthier.recipe import TrainSettings, ValidationSettings
from luthier.schema import GENERATED, Example, LabelSet
from luthier.tasks import text_to_text as task
from luthier.text.prompts import Prompt
from luthier.tuning import Encoded, Events, Job
from luthier.tuning.fit import fit
from luthier.tuning.job import logits_bytes

pytestmark = pytest.mark.slow
LABELS = LabelSet((GENERATED,), "text_generation")
PROMPT = "Turn {source} around:"


def job(directory: Path) -> Job:
    base = make_causal(directory / "base")
    encoder = continued_encoder(base, Prompt.of(PROMPT), (), max_length=None, normalize="nfc", new_tokens=16,
                                longest_target=None, source="model")

    def encoded(numbers: range) -> Encoded:
        rows = [Example(f"x:{n}", f"a{n}" * (1 + n % 3), targets=(f"{n}a 好",)) for n in numbers]
        ragged = encoder.learned([row.text for row in rows], [row.targets[0] for row in rows if row.targets]).ragged
        return Encoded(ragged, task.targets(rows, LABELS, ragged))

    settings = TrainSettings(learning_rate=2e-3, precision="fp32", num_train_epochs=1, per_device_train_batch_size=32)
    return Job(model=task.build(base, LABELS).model.requires_grad_(True), encoder=encoder, task=task, labels=LABELS,
               train=encoded(range(32)), valid=encoded(range(32, 48)), train_settings=settings,
               validation=ValidationSettings(metric_for_best_model="loss"), seed=1, directory=directory / "run",
               fingerprint="toy")


def test_the_loss_is_the_librarys_own_over_targets_and_their_ends(tmp_path: Path) -> None:
    import torch

    one = job(tmp_path)
    batch = one.encoder.collate(one.train.ragged, range(32))
    prompts = one.encoder.encode_ragged([f"a{n}" * (1 + n % 3) for n in range(32)]).lengths
    labels = np.where(batch.mask & (np.arange(batch.ids.shape[1]) >= prompts[:, None]), batch.ids, -100)
    # transformers shifts the labels itself and means over their tokens: the same loss by another way.
    with torch.inference_mode():
        own = one.model(input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.mask).long(),
                        labels=torch.from_numpy(labels)).loss
    heard: list[dict] = []
    one.directory.mkdir()
    with Events(one.directory / "events.jsonl", [heard.append]) as events:
        fit(one, events)
    step = next(event for event in heard if event["event"] == "step")
    assert step["loss"] == pytest.approx(float(own), rel=1e-4)
    assert one.train.targets.counts(np.arange(32)) == (labels >= 0).sum()


def test_batches_of_many_words_are_small_as_those_of_dialogue_are(tmp_path: Path) -> None:
    one = job(tmp_path)
    one.model.config.vocab_size = logits_bytes("cpu") // 400
    assert one.batch_tokens == 100
