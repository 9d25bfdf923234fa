"""The reference backend: PyTorch in float32, through transformers. Every other backend is compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from luthier.bundle import EXACT, Manifest
from luthier.inference.backends._modules import ATTENTION, choose_device, open_module, use_threads
from luthier.models.hardware import memory
from luthier.models.likelihood import continued_logprobs, followed_logprobs, written_logprobs
from luthier.models.seq2seq import target_tokens
from luthier.plugins import require
from luthier.recipe import Decoding
from luthier.schema import Batch, Bool, Float32, Int64

if TYPE_CHECKING:
    import torch

    from luthier.inference.backend import TextOf
    from luthier.inference.generation import Stop, Written

NAME = "torch"
PACKAGES = ("torch", "transformers")
TOLERANCE = EXACT
GENERATES = True
"""Whether it can write texts."""

__all__ = ["ATTENTION", "GENERATES", "NAME", "PACKAGES", "TOLERANCE", "TorchBackend", "from_model", "load"]

_MAX_TOKENS = {"cpu": 2048}
"""Device -> padded tokens of a batch. On CPUs full speed is reached at 512 and lost beyond 2,048, where activations
leave the cache (minilm-l6, two cores, 128 tokens a row: 12,000 tokens/s in batches of 16, 9,800 in 32, 4,700 in 64)."""
_HELD = 4
"""Tokens held while texts are written for each that is computed at once."""
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

    @property
    def held_tokens(self) -> int:
        """Return the tokens of four batches, or fewer where their keys and values would fill a quarter of the memory.

        On a CPU four batches are 8,192 tokens: 200 MB for t5-small (6 layers of width 512, 24 KB a token), 380 MB for
        smollm2-135m (46 KB). On a GPU they are 131,072, which models of large heads have no room for.
        """
        model = self._opened
        config = model.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        size = next((weight.element_size() for weight in model.parameters()), 4)
        each = 2 * size * config.num_hidden_layers * heads * width
        return min(_HELD * self.max_tokens, max(1, memory(self.device) // 4 // int(each)))

    def run(self, batch: Batch) -> Float32:
        """Return the logits of B texts: (B, C) float32."""
        import torch

        with torch.inference_mode():
            logits: torch.Tensor = self._opened(**self._inputs(batch)).logits
        return np.asarray(logits.float().cpu().numpy(), dtype=np.float32)

    def run_all(self, batches: Iterable[Batch]) -> Iterator[Float32]:
        """Yield the logits of each batch, in order."""
        return map(self.run, batches)

    def generate(self, batch: Batch, decoding: Decoding, *, text_of: TextOf, rows: Sequence[int],
                 ends: tuple[int, ...] = (), stop: Stop | None = None) -> list[Written]:
        """Write a text for each of B texts; see ``inference.backend.Writes``."""
        from luthier.inference.generation import Marks, generate

        if not self._opened.config.is_encoder_decoder:
            marks = Marks(ends, ends[0])  # the mask hides what fills a row up
        else:
            tokens = target_tokens(self._opened.config, self.name)
            never = tuple({tokens.pad, tokens.start} - {*tokens.eos})
            marks = Marks(tokens.eos, tokens.pad, (tokens.start,), never)
        return generate(self._opened, batch, decoding, marks, text_of=text_of, rows=rows, stop=stop)

    def target_logprobs(self, batch: Batch, targets: Int64) -> Float32:
        """Return how likely each token of B given texts is, after the right ones before it.

        Args:
            batch: the B sources.
            targets: (B, T) int64, ``IGNORED`` at padding.

        Returns:
            (B, T) float32, natural logarithms.
        """
        model = self._opened
        if not model.config.is_encoder_decoder:
            return continued_logprobs(model, batch, targets)
        return written_logprobs(model, self._inputs(batch), targets, target_tokens(model.config, self.name))

    @property
    def vocabulary(self) -> int:
        """Return V, the number of different tokens."""
        return int(self._opened.config.get_text_config().vocab_size)

    def logprobs_at(self, batch: Batch, wanted: Bool) -> Float32:
        """Return log probabilities of all tokens at M places, (M, V); see ``inference.modelling.TellsTokens``."""
        import torch

        from luthier.models.masked import WANTED

        with torch.inference_mode():
            logits = self._opened(**self._inputs(batch), **{WANTED: torch.from_numpy(wanted).to(self.device)}).logits
            found = logits.float().log_softmax(-1)
        return np.asarray(found.cpu().numpy(), dtype=np.float32)

    def next_token_logprobs(self, batch: Batch, targets: Int64) -> tuple[Float32, Bool]:
        """Return how likely the token behind each token is; see ``inference.modelling.TellsTokens``."""
        return followed_logprobs(self._opened, batch, targets)

    def fold(self) -> None:
        """Add an adapter, if there is one, to the weights of its base; see ``inference.backend.Folds``."""
        from luthier.models.lora import has_adapter, merge

        if has_adapter(self._opened):
            self.model = merge(self._opened)

    def close(self) -> None:
        """Let go of the weights."""
        self.model = None

    @property
    def _opened(self) -> Any:
        if self.model is None:
            raise RuntimeError("this backend was closed")  # the caller's own fault, not a user's
        return self.model

    def _inputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        import torch

        # The mask goes in as int64, which is what a tokenizer of transformers gives the same model.
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
        if batch.type_ids is not None:
            inputs["token_type_ids"] = batch.type_ids
        return {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}


def load(
    directory: Path, manifest: Manifest, *, threads: int | None, device: str | None, offline: bool
) -> TorchBackend:
    """Open a full bundle, or an adapter bundle with its base; see ``BackendModule.load``."""
    require(*PACKAGES)
    use_threads(threads)
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
