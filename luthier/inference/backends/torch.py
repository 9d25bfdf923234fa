"""The reference backend: PyTorch in float32. Every other backend is compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from luthier.bundle import RESTORE, Manifest
from luthier.errors import BundleError, LimitError, ModelError
from luthier.plugins import require
from luthier.schema import Batch, Float32

if TYPE_CHECKING:
    import torch

NAME = "torch"

ATTENTION: Final = "sdpa"
"""How a reopened bundle computes attention: the fused kernel, whose memory does not grow with the square of T."""

MOST_THREADS = 1024
"""More than a machine has cores; torch itself fails on numbers far beyond."""

_MAX_TOKENS = {"cpu": 2048}
"""Device -> padded tokens of a batch. On CPUs full speed is reached at 512 and lost beyond 2,048, where activations
leave the cache (minilm-l6, two cores, 128 tokens a row: 12,000 tokens/s in batches of 16, 9,800 in 32, 4,700 in 64)."""
_MAX_TOKENS_ELSEWHERE = 32_768
"""Accelerators want large batches; at 12 layers of width 384 this takes about 1 GB."""


@dataclass(eq=False)
class TorchBackend:
    """A model in eval mode on one device."""

    model: torch.nn.Module | None
    device: str
    reason: str
    name: str = NAME

    @property
    def max_tokens(self) -> int:
        """Return the padded tokens of the largest batch that is worth computing at once."""
        return _MAX_TOKENS.get(self.device.partition(":")[0], _MAX_TOKENS_ELSEWHERE)

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32."""
        import torch

        if self.model is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        # The mask goes in as int64, which is what a tokenizer of transformers gives the same model.
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
        if batch.type_ids is not None:
            inputs["token_type_ids"] = batch.type_ids
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
        with torch.inference_mode():
            logits: torch.Tensor = self.model(**tensors).logits
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)

    def close(self) -> None:
        """Let go of the weights."""
        self.model = None


def load(
    directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool
) -> TorchBackend:
    """Open a full bundle, or an adapter bundle with its base; see ``BackendModule.load``."""
    require("torch", "transformers")
    import torch

    if threads is not None:
        if not 1 <= threads <= MOST_THREADS:
            raise LimitError(f"threads is {threads}; expected 1 to {MOST_THREADS}", "leave it out to use every core")
        torch.set_num_threads(threads)
    where, reason = choose_device(device)
    model = _load_adapter(directory, manifest, offline) if manifest.kind == "adapter" else _load_full(directory)
    return from_model(model, device=where, reason=reason)


def from_model(
    model: torch.nn.Module, *, device: str | None = None, reason: str = "in memory", attention: str | None = None
) -> TorchBackend:
    """Wrap a model that is already in memory; it is put in eval mode.

    Args:
        model: takes ``input_ids``, ``attention_mask`` and ``token_type_ids``, returns something with ``.logits``.
        device: moved there when given; otherwise it runs where its weights are.
        reason: why there.
        attention: how attention is computed from now on; as the model was built when left out. ``ATTENTION`` makes a
            model that was tuned in another way give the same bits as its reopened bundle.
    """
    if attention is not None:
        model.set_attn_implementation(attention)  # type: ignore[operator]  # nn.Module types it as Tensor | Module
    if device is not None:
        model.to(device)
    where = device or str(next((weight.device for weight in model.parameters()), "cpu"))
    return TorchBackend(model.eval(), where, reason)


def choose_device(asked: str | None) -> tuple[str, str]:
    """Return (device, reason).

    Raises:
        ModelError: the device asked for is not there.
    """
    import torch

    cuda = torch.cuda.is_available()
    if asked is None:
        return ("cuda", "a CUDA device is there") if cuda else ("cpu", "no CUDA device is there")
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        kind = ""
    there = {"cpu": True, "cuda": cuda, "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        raise ModelError(f"the device {asked!r} is not there; usable here: {usable}", "leave the device out")
    return asked, "asked for"


def _load_full(directory: Path) -> torch.nn.Module:
    from luthier.models.building import load_classifier

    try:
        return load_classifier(directory, attention=ATTENTION)
    except ModelError as error:
        raise BundleError(f"cannot open the weights of the bundle: {error.problem}", RESTORE) from error


def _load_adapter(directory: Path, manifest: Manifest, offline: bool) -> torch.nn.Module:
    from safetensors import SafetensorError

    from luthier.models import sources
    from luthier.models.lora import load_adapter

    base = manifest.base
    try:
        files = sources.resolve(base.name, offline=offline)
    except ModelError as error:
        raise ModelError(f"the adapter bundle at {directory} needs its base model {base.name!r}: {error.problem}",
                         error.fix) from error
    if files.sha256 != base.sha256:
        raise BundleError(f"the adapter bundle at {directory} was tuned on another {base.name!r}: the weights found "
                          f"have sha256 {files.sha256[:12]}…, the manifest says {base.sha256[:12]}…",
                          "install or fetch the base model that it was tuned on, or train the adapter again")
    try:
        return load_adapter(directory, files.path)
    except SafetensorError as error:
        raise BundleError(f"cannot open the weights of the bundle at {directory}: {error}", RESTORE) from error
