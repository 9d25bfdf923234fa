"""A small honest double: a whole, verified bundle of a random tiny model, made in a second without tuning.

It is what tests, examples and servers under trial open. It is also the shortest example of how a bundle is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from luthier.bundle import Base, LengthPolicy, Manifest, TaskRecord, model_card, seal, staged, write_probes
from luthier.inference.backends.torch import from_model
from luthier.inference.opening import open_task
from luthier.inference.predictor import Predictor
from luthier.inference.replaying import make_probes
from luthier.inference.verification import compare_with_memory
from luthier.schema import LabelSet, TextInput

if TYPE_CHECKING:
    import torch

LABELS = LabelSet(("negative", "positive"))


def make_bundle(
    directory: Path,
    *,
    labels: LabelSet = LABELS,
    pair: bool = False,
    kind: Literal["full", "adapter"] = "full",
    base: Path | None = None,
    max_length: int = 64,
    texts: Sequence[TextInput] = (),
    seed: int = 0,
) -> Path:
    """Write a bundle of a random-weight model.

    Args:
        directory: where the bundle shall stand.
        labels: C names.
        pair: whether one row is two texts.
        kind: all weights, or a LoRA adapter on ``base``.
        base: a tiny model's directory; made beside the bundle, as ``<name>.base``, when left out.
        max_length: most tokens of one text.
        texts: rows to take probes from, besides the fixed ones.
        seed: of all weights.

    Returns:
        The directory.
    """
    from luthier.models import tiny
    from luthier.models.encoding import Encoder
    from luthier.models.files import weights_sha256

    if base is None:
        base = tiny.make(directory.with_name(directory.name + ".base"), seed=seed)
    manifest = Manifest(
        kind=kind, task=TaskRecord("text-classification"), labels=labels, length=LengthPolicy(max_length),
        normalize="nfc", pair=pair, data_hash="0" * 64,
        base=Base(name=str(base), source="directory", sha256=weights_sha256(base)),
    )
    task, settings = open_task(manifest)
    manifest = replace(manifest, task=TaskRecord(manifest.task.name, settings.model_dump(mode="json")))
    encoder = Encoder.load(base, max_length=max_length, normalize="nfc")
    with staged(directory) as staging:
        backend = from_model(_write_weights(staging, base, labels, kind, seed))
        encoder.save(staging)
        memory = Predictor(backend, encoder, labels, task, settings, pair, "tiny")
        write_probes(staging, make_probes(memory, texts))
        (staging / "README.md").write_text(model_card(manifest, {}, {}), encoding="utf-8")
        seal(staging, manifest)
        compare_with_memory(staging, memory, offline=True).close()
    return directory


def _write_weights(directory: Path, base: Path, labels: LabelSet, kind: str, seed: int) -> torch.nn.Module:
    import torch

    from luthier.models.building import build_classifier, quiet
    from luthier.models.lora import save_adapter, wrap

    built = build_classifier(base, labels, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in built.model.named_parameters():
        if any(name.startswith(module) for module in built.new_modules):
            # Wide enough that the answers differ from text to text.
            torch.nn.init.normal_(weight, std=0.5, generator=generator)
    if kind == "full":
        with quiet():
            built.model.save_pretrained(directory)  # type: ignore[operator]  # typed as Tensor | Module
        return built.model
    model = wrap(built.model, rank=2, alpha=4.0, trained=built.new_modules, seed=seed)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1, generator=generator)
    save_adapter(model.eval(), directory, base_name=base.name, revision=None)
    return model
