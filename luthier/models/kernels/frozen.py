"""A model whose frozen layers are skipped while it runs: it is given what they give instead of token ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from luthier.models.architecture import config_of, unsupported
from luthier.models.forward import Forward
from luthier.models.freezing import frozen_layers, layers_of
from luthier.schema import Decision


@contextmanager
def skipped_layers(model: Any) -> Iterator[tuple[dict[str, Decision], int]]:
    """Skip a model's frozen layers within the block, where they can be computed without it.

    Such a model is called with ``inputs_embeds``, (B, T, D) hidden states behind those layers.

    Yields:
        What was decided, if anything is frozen, and how many layers are skipped.
    """
    count = frozen_layers(model)
    why = unsupported(config_of(model)) if count else None
    if not count or why is not None:
        yield {} if why is None else {"frozen_layers": Decision("computed at each step", why)}, 0
        return
    modules = [model.base_model.embeddings, *layers_of(model)[:count]]
    for module in modules:
        module.forward = _passed_on
    try:
        yield {}, count  # whoever computes them says what came of it
    finally:
        for module in modules:
            del module.forward  # its class has its own


def forward_of(model: Any, layers: int, precision: str) -> Forward:
    """Return the first layers of a BERT-like model, to compute what they give."""
    config = {**config_of(model), "num_hidden_layers": layers}
    return Forward.of(config, model.state_dict(), torch.bfloat16 if precision == "bf16" else torch.float32)


def _passed_on(hidden_states: torch.Tensor | None = None, *_: Any, inputs_embeds: torch.Tensor | None = None,
               **__: Any) -> torch.Tensor | None:
    """Stand for the embeddings, or for a layer: what comes in goes out."""
    return inputs_embeds if hidden_states is None else hidden_states
