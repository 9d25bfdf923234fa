"""Putting the parts into a model for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from luthier.models.kernels.attention import own_attention
from luthier.models.kernels.dropout import own_dropout
from luthier.models.kernels.layers import native_layers
from luthier.models.kernels.stream import bf16_stream
from luthier.schema import Decision


@contextmanager
def installed(model: Any, *, device: str, precision: str) -> Iterator[Mapping[str, Decision]]:
    """Make a transformers model fast within the block, and as it was after it, however the block ends.

    Args:
        model: a transformers model; changed in place.
        device: where it runs, such as ``cpu``.
        precision: ``bf16`` when it runs under autocast to bf16, or ``fp32``.

    Yields:
        What was put in and why, for the log: ``layers``, ``attention``, ``dropout``, ``hidden_states``.
    """
    if device.partition(":")[0] != "cpu":
        own = str(model.config._attn_implementation)
        yield {"attention": Decision(own, "fused attention gains at every length on a GPU"),
               "dropout": Decision("torch", "a GPU draws random numbers in parallel"),
               "hidden_states": Decision("as the model has them", "autocast decides on a GPU")}
        return
    with ExitStack() as stack:
        layers = stack.enter_context(native_layers(model, precision))
        if layers.value == "native":  # what is left is the embeddings' dropout and the head's
            yield {"layers": layers, "dropout": stack.enter_context(own_dropout(model))}
            return
        yield {"layers": layers, "attention": stack.enter_context(own_attention(model)),
               "dropout": stack.enter_context(own_dropout(model)),
               "hidden_states": stack.enter_context(bf16_stream(model, precision))}
