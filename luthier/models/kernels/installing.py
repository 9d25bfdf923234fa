"""Putting the parts into a model for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from luthier.models.kernels.attention import own_attention
from luthier.models.kernels.dropout import own_dropout
from luthier.models.kernels.layers import NativeLayers, native_layers
from luthier.models.kernels.packed import Arguments, packed_layers, padded
from luthier.models.kernels.stream import bf16_stream
from luthier.schema import Batch, Decision


@dataclass(frozen=True, slots=True)
class Installed:
    """What a model has within the block."""

    decisions: Mapping[str, Decision]
    layers: NativeLayers | None = None
    arrange: Callable[[Batch], Arguments] = padded
    """From a batch to what the model is called with."""


@contextmanager
def installed(model: Any, *, device: str, precision: str) -> Iterator[Installed]:
    """Make a transformers model fast within the block, and as it was after it, however the block ends.

    Args:
        model: a transformers model; changed in place.
        device: where it runs, such as ``cpu``.
        precision: ``bf16`` when it runs under autocast to bf16, or ``fp32``.

    Yields:
        What was put in and why, for the log: ``layers``, ``attention``, ``dropout``, ``hidden_states``; the
        compiled layers, if the model has some now; and how batches are laid out for it.
    """
    with ExitStack() as stack:
        if device.partition(":")[0] != "cpu":
            how, packed = stack.enter_context(packed_layers(model, precision))
            own = str(model.config._attn_implementation) if packed is None else "varlen"
            yield Installed({"layers": how,
                             "attention": Decision(own, "fused attention gains at every length on a GPU"),
                             "dropout": Decision("torch", "a GPU draws random numbers in parallel"),
                             "hidden_states": Decision("as the model has them", "autocast decides on a GPU")},
                            arrange=padded if packed is None else packed.arrange)
            return
        why, layers = stack.enter_context(native_layers(model, precision))
        if layers is not None:  # what is left is the head's dropout
            yield Installed({"layers": why, "dropout": stack.enter_context(own_dropout(model))}, layers)
            return
        yield Installed({"layers": why, "attention": stack.enter_context(own_attention(model)),
                         "dropout": stack.enter_context(own_dropout(model)),
                         "hidden_states": stack.enter_context(bf16_stream(model, precision))})
