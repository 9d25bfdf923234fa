"""Putting the parts into a model for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from luthier.models.freezing import frozen_layers
from luthier.models.kernels.attention import own_attention
from luthier.models.kernels.dropout import own_dropout
from luthier.models.kernels.frozen import skipped_layers
from luthier.models.kernels.layers import NativeLayers, native_layers
from luthier.models.kernels.packed import Arguments, packed_rows, padded
from luthier.models.kernels.stream import bf16_stream
from luthier.schema import Batch, Decision


@dataclass(frozen=True, slots=True)
class Installed:
    """What a model has within the block."""

    decisions: Mapping[str, Decision]
    layers: NativeLayers | None = None
    arrange: Callable[[Batch], Arguments] = padded
    """From a batch to what the model is called with, where none are skipped."""
    skipped: int = 0
    """Frozen layers that the model is given the output of, in place of token ids."""
    workers: int = 1
    """Threads to compute it with."""


@contextmanager
def installed(model: Any, *, device: str, precision: str) -> Iterator[Installed]:
    """Make a transformers model fast within the block, and as it was after it, however the block ends.

    Args:
        model: a transformers model; changed in place.
        device: where it runs, such as ``cpu``.
        precision: ``bf16`` when it runs under autocast to bf16, or ``fp32``.

    Yields:
        What was put in and why, for the log: ``layers``, ``attention``, ``dropout``, ``hidden_states``; the
        compiled layers, if the model has some now; how batches are laid out for it; and how many layers it skips.
    """
    with ExitStack() as stack:
        stack.enter_context(_without_cache(model))
        on_cpu = device.partition(":")[0] == "cpu"
        yield (_on_cpu if on_cpu else _on_gpu)(stack, model, precision)


@contextmanager
def _without_cache(model: Any) -> Iterator[None]:
    """Keep a decoder from copying all keys and values into a cache, of which only generation has use."""
    own = getattr(model.config, "use_cache", None)
    if own:
        model.config.use_cache = False
    try:
        yield
    finally:
        if own:
            model.config.use_cache = own


def _on_gpu(stack: ExitStack, model: Any, precision: str) -> Installed:
    how, packed = stack.enter_context(packed_rows(model, precision))
    own = str(model.config._attn_implementation) if packed is None else "varlen"
    decisions = {"layers": how, "attention": Decision(own, "fused attention gains at every length on a GPU"),
                 "dropout": Decision("torch", "a GPU draws random numbers in parallel"),
                 "hidden_states": Decision("as the model has them", "autocast decides on a GPU")}
    if frozen_layers(model):
        decisions["frozen_layers"] = Decision("computed at each step", "what they give is kept on a CPU alone")
    return Installed(decisions, arrange=padded if packed is None else packed.arrange)


def _on_cpu(stack: ExitStack, model: Any, precision: str) -> Installed:
    workers = torch.get_num_threads()
    frozen, skipped = stack.enter_context(skipped_layers(model))
    why, layers = stack.enter_context(native_layers(model, precision, skipped))
    decisions = {**frozen, "layers": why, "dropout": stack.enter_context(own_dropout(model))}
    if layers is None:  # else nothing is left to torch but the head
        decisions["attention"] = stack.enter_context(own_attention(model))
        decisions["hidden_states"] = stack.enter_context(bf16_stream(model, precision))
    return Installed(decisions, layers, skipped=skipped, workers=workers)
