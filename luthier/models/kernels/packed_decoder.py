"""A decoder over packed rows: its own code all through, but for attention, which is told where each row begins.

Rotary positions come with the batch. A classifier's head reads the last token of each row, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from luthier.models.kernels.varlen import Pattern, Rows, attend, missing

NAME = "luthier_varlen"
"""What transformers knows this attention by while packed rows are computed. No mask is registered by that name, so
none is made, which would make the host wait."""
_ROWS = "packed_rows"
"""The argument that transformers hands down to attention."""
_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "olmo2", "phi3"})
"""Model types that hand arguments down, and whose attention is nothing but a softmax over scaled products."""
_ASKING = frozenset({"dynamic", "longrope"})
"""Kinds of rotary positions that ask the device for the longest one."""


def is_decoder(config: Mapping[str, Any]) -> bool:
    """Return whether a model is a decoder of a type known here."""
    return config.get("model_type") in _TYPES


def obstacle(model: Any, config: Mapping[str, Any]) -> str | None:
    """Return why a decoder's rows cannot be packed; ``None`` when they can."""
    classifies = hasattr(model, "score")
    if not classifies and not type(model).__name__.endswith("ForCausalLM"):
        return f"a {type(model).__name__} is neither a classifier nor a language model"
    if model.config._attn_implementation != "sdpa":
        return f"its attention was asked to be {model.config._attn_implementation}"
    if (config.get("attention_dropout") or 0.0) > 0:
        return "attention weights are dropped (model.attention_dropout)"
    rotary = (config.get("rope_parameters") or config.get("rope_scaling") or {}).get("rope_type", "default")
    if rotary in _ASKING:
        return f"its rotary positions are {rotary}"
    width = config.get("head_dim") or int(config["hidden_size"]) // int(config["num_attention_heads"])
    return missing(int(width), windowed=config.get("sliding_window") is not None)


@contextmanager
def installed(model: Any, _config: Mapping[str, Any]) -> Iterator[PackedDecoder]:
    """Make this attention known to transformers; the model takes it for packed rows alone."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, _for_transformers)
    yield PackedDecoder(model)


class PackedDecoder:
    """Calls a decoder with packed rows."""

    first_position = 0

    def __init__(self, model: Any) -> None:
        self._model, self._forward = model, model.forward

    def compute(self, given: dict[str, Any], rows: Rows) -> Any:
        """Return a classifier's logits, (B, C), or a language model's, (1, N, V)."""
        from transformers.modeling_outputs import SequenceClassifierOutputWithPast

        model, given = self._model, {**given, _ROWS: rows, "use_cache": False}
        with _attending(model.config):
            if not hasattr(model, "score"):
                return self._forward(**given)
            states = model.base_model(**given).last_hidden_state[0]  # (N, D)
        last = states.index_select(0, rows.starts[1:] - 1)  # (B, D)
        return SequenceClassifierOutputWithPast(logits=model.score(last))


@contextmanager
def _attending(config: Any) -> Iterator[None]:
    own, config._attn_implementation = config._attn_implementation, NAME
    try:
        yield
    finally:
        config._attn_implementation = own


def _for_transformers(
    _module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, _mask: torch.Tensor | None, *,
    scaling: float | None = None, sliding_window: int | None = None, **others: Any,
) -> tuple[torch.Tensor, None]:
    """Answer a layer's call in transformers' own terms: (1, H, N, E) and (1, G, N, E) -> (1, N, H, E)."""
    rows: Rows = others[_ROWS]
    q, k, v = (part[0].transpose(0, 1).to(value.dtype) for part in (query, key, value))  # rotary ones are float32
    window = sliding_window if sliding_window is not None and sliding_window < rows.longest else None
    return attend(q, k, v, rows, rows, Pattern(causal=True, window=window, scale=scaling))[None], None
