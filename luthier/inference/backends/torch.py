"""The reference backend: PyTorch in float32, through transformers. Every other backend is compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier.bundle import EXACT, Manifest
from luthier.inference.backends._modules import ATTENTION, check_threads, choose_device, open_module
from luthier.plugins import require
from luthier.schema import Batch, Float32

if TYPE_CHECKING:
    import torch

NAME = "torch"
PACKAGES = ("torch", "transformers")
TOLERANCE = EXACT

__all__ = ["ATTENTION", "NAME", "PACKAGES", "TOLERANCE", "TorchBackend", "from_model", "load"]

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
    tolerance: float = TOLERANCE

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

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order."""
        return map(self.run, batches)

    def close(self) -> None:
        """Let go of the weights."""
        self.model = None


def load(
    directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool
) -> TorchBackend:
    """Open a full bundle, or an adapter bundle with its base; see ``BackendModule.load``."""
    require(*PACKAGES)
    import torch

    check_threads(threads)
    if threads is not None:
        torch.set_num_threads(threads)
    where, reason = choose_device(device)
    return from_model(open_module(directory, manifest, offline=offline), device=where, reason=reason)


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
