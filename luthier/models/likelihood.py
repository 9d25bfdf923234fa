"""How likely given texts are to a model that writes, token by token.

The logits of a batch, (B, T, V), would fill the memory where V is a quarter of a million: long texts are read piece by
piece, what was read being kept as keys and values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.models.outputs import shifted
from luthier.models.seq2seq import TargetTokens
from luthier.schema import Batch, Bool, Float32, Int64

if TYPE_CHECKING:
    import torch

LOGITS = 1 << 26
"""Most logits of one piece: 256 MiB in float32, of which some three copies stand in the memory at once."""


def continued_logprobs(model: Any, batch: Batch, targets: Int64) -> Float32:
    """Return how likely each token of B given continuations is, after the prompt and the right ones before it.

    Args:
        model: a causal language model in evaluation mode.
        batch: the B prompts, padded on the right.
        targets: (B, T) int64, below 0 at padding.

    Returns:
        (B, T) float32, natural logarithms; what stands at padding means nothing.
    """
    import torch

    prompts, counts = batch.mask.sum(axis=1), (targets >= 0).sum(axis=1)
    mask = np.arange((prompts + counts).max()) < (prompts + counts)[:, None]
    ids = np.zeros(mask.shape, np.int64)
    for row, (size, count) in enumerate(zip(prompts.tolist(), counts.tolist(), strict=True)):
        ids[row, :size] = batch.ids[row, :size]
        ids[row, size : size + count] = targets[row, :count]
    # The logits of a token stand at the place before it.
    places = np.minimum(prompts[:, None] - 1 + np.arange(targets.shape[1]), mask.shape[1] - 1)
    device = next(model.parameters()).device
    with torch.inference_mode():
        given, following, real = (torch.from_numpy(array).to(device)
                                  for array in (ids, np.roll(ids, -1, 1), mask.astype(np.int64)))
        found, _ = _read(model, "input_ids", given, following, mask=real)
    return np.take_along_axis(np.asarray(found.cpu().numpy(), np.float32), places, axis=1)


def followed_logprobs(model: Any, batch: Batch, targets: Int64) -> tuple[Float32, Bool]:
    """Return how likely the token behind each of B rows' tokens is, after those up to there.

    Args:
        model: a causal language model in evaluation mode.
        batch: the B rows, padded on the right.
        targets: (B, T) int64, what follows each token; below 0 where nothing is asked.

    Returns:
        (B, T) float32, natural logarithms, and (B, T) bool, which of them were the likeliest; both mean nothing where
        nothing is asked.
    """
    import torch

    device = next(model.parameters()).device
    with torch.inference_mode():
        given, following, real = (torch.from_numpy(array).to(device)
                                  for array in (batch.ids, np.maximum(targets, 0), batch.mask.astype(np.int64)))
        found, right = _read(model, "input_ids", given, following, mask=real)
    return np.asarray(found.cpu().numpy(), np.float32), np.asarray(right.cpu().numpy(), np.bool_)


def written_logprobs(model: Any, source: dict[str, torch.Tensor], targets: Int64, tokens: TargetTokens) -> Float32:
    """Return how likely each token of B given texts is, for its source and after the right ones before it.

    Args:
        model: an encoder-decoder in evaluation mode.
        source: the encoder's arguments, of B texts.
        targets: (B, T) int64, below 0 at padding.
        tokens: what stands around a text.

    Returns:
        (B, T) float32, natural logarithms; what stands at padding means nothing.
    """
    import torch

    device = next(model.parameters()).device
    before = torch.from_numpy(shifted(targets, tokens.start, tokens.pad)).to(device)
    with torch.inference_mode():
        states = model.get_encoder()(**source)
        found, _ = _read(model, "decoder_input_ids", before, torch.from_numpy(np.maximum(targets, 0)).to(device),
                         encoder_outputs=states, attention_mask=source.get("attention_mask"))
    return np.asarray(found.cpu().numpy(), dtype=np.float32)


def _read(model: Any, name: str, ids: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor | None = None,
          **given: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, T) log probabilities of wanted tokens, each after what is read up to its place, and which (B, T) were
    the likeliest.

    Args:
        model: in evaluation mode.
        name: of the argument that takes the tokens.
        ids: (B, T) int64, read from the left.
        wanted: (B, T) int64.
        mask: (B, T) int64, 0 at padding of what is read.
        given: arguments that are the same for all pieces.
    """
    import torch

    rows, count = ids.shape
    step = max(1, LOGITS // (rows * int(model.config.get_text_config(decoder=True).vocab_size)))
    found, right, cache = list[torch.Tensor](), list[torch.Tensor](), None
    for start in range(0, count, step):
        part = slice(start, start + step)
        keeping = {} if step >= count else {"past_key_values": cache, "use_cache": True}
        seen = {} if mask is None else {"attention_mask": mask[:, : start + step]}
        answer = model(**{name: ids[:, part]}, **seen, **given, **keeping)
        cache = answer.past_key_values if keeping else None
        found.append(answer.logits.float().log_softmax(-1).gather(-1, wanted[:, part, None])[..., 0])
        right.append(answer.logits.argmax(-1) == wanted[:, part])
    return torch.cat(found, dim=1), torch.cat(right, dim=1)
