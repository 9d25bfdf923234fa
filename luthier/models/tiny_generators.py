"""Small honest doubles of models that write: random-weight BART and Llama directories that load as any others.

Made without torch. Their tokenizers know bytes and nothing longer, so every text, Chinese ones included, goes through
them and comes back unchanged, and a vocabulary of 260 tokens keeps a training step at milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from luthier.schema import Float32

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""Special tokens in the order of their ids, 0 to 3."""
BOS, PAD, EOS = 0, 1, 2

_VOCABULARY = len(SPECIAL) + 256
_POSITION_OFFSET = 2
"""Rows that BART keeps free before its first position."""
_MARKS = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}


def make_seq2seq(directory: Path, *, seed: int = 0, width: int = 32, layers: int = 1, heads: int = 4,
                 max_length: int = 128) -> Path:
    """Write a random-weight ``BartForConditionalGeneration`` directory: an encoder and a decoder.

    Args:
        directory: where to write; made when missing.
        seed: of the weights.
        width: D, a multiple of ``heads``.
        layers: L, of the encoder and of the decoder.
        heads: H.
        max_length: most tokens of a text read or written, special ones included.

    Returns:
        The directory.
    """
    ends = {"decoder_start_token_id": EOS, "forced_eos_token_id": None}
    config = {
        "architectures": ["BartForConditionalGeneration"], "model_type": "bart", "is_encoder_decoder": True,
        "vocab_size": _VOCABULARY, "d_model": width, "max_position_embeddings": max_length,
        "encoder_layers": layers, "decoder_layers": layers, "encoder_attention_heads": heads,
        "decoder_attention_heads": heads, "encoder_ffn_dim": 4 * width, "decoder_ffn_dim": 4 * width,
        "activation_function": "gelu", "dropout": 0.0, "attention_dropout": 0.0, "scale_embedding": False,
        "tie_word_embeddings": True, **_MARKS, **ends,
    }
    weights = dict(_bart_weights(np.random.default_rng(seed), width, layers, max_length))
    _write(directory, config, _MARKS | ends, weights)
    _write_tokenizer(directory, f"{SPECIAL[BOS]} $A {SPECIAL[EOS]}", max_length)
    return directory


def make_causal(directory: Path, *, seed: int = 0, width: int = 32, layers: int = 2, heads: int = 4,
                max_length: int = 128) -> Path:
    """Write a random-weight ``LlamaForCausalLM`` directory: a decoder alone. Arguments as in ``make_seq2seq``."""
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": _VOCABULARY, "hidden_size": width,
        "intermediate_size": 2 * width, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": heads // 2, "max_position_embeddings": max_length, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "tie_word_embeddings": True, **_MARKS,
    }
    _write(directory, config, _MARKS, dict(_llama_weights(np.random.default_rng(seed), width, layers)))
    _write_tokenizer(directory, f"{SPECIAL[BOS]} $A", max_length)
    return directory


def _write(directory: Path, config: dict[str, Any], generation: dict[str, Any], weights: dict[str, Float32]) -> None:
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (directory / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(directory: Path, template: str, max_length: int) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    # The alphabet stands for the 256 bytes; sorted, because the library gives it in any order.
    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(SPECIAL[BOS], BOS), (SPECIAL[EOS], EOS)])
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(directory / "tokenizer.json"))
    special = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), SPECIAL, strict=True))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length,
              "model_input_names": ["input_ids", "attention_mask"], "clean_up_tokenization_spaces": False, **special}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (directory / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", encoding="utf-8")


def _bart_weights(random: np.random.Generator, width: int, layers: int, positions: int,
                  ) -> Iterator[tuple[str, Float32]]:
    """Yield (name, float32 tensor) as ``BartForConditionalGeneration`` names and shapes them."""

    def linear(name: str, out: int, into: int) -> Iterator[tuple[str, Float32]]:
        yield f"{name}.weight", _matrix(random, out, into)
        yield f"{name}.bias", np.zeros(out, np.float32)

    def norm(name: str) -> Iterator[tuple[str, Float32]]:
        yield f"{name}.weight", np.ones(width, np.float32)
        yield f"{name}.bias", np.zeros(width, np.float32)

    yield "model.shared.weight", _matrix(random, _VOCABULARY, width)
    yield "final_logits_bias", np.zeros((1, _VOCABULARY), np.float32)
    for side, attentions in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "encoder_attn"))):
        yield f"model.{side}.embed_positions.weight", _matrix(random, positions + _POSITION_OFFSET, width)
        yield from norm(f"model.{side}.layernorm_embedding")
        for layer in range(layers):
            prefix = f"model.{side}.layers.{layer}."
            for attention in attentions:
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    yield from linear(f"{prefix}{attention}.{part}", width, width)
                yield from norm(f"{prefix}{attention}_layer_norm")
            yield from linear(f"{prefix}fc1", 4 * width, width)
            yield from linear(f"{prefix}fc2", width, 4 * width)
            yield from norm(f"{prefix}final_layer_norm")


def _llama_weights(random: np.random.Generator, width: int, layers: int) -> Iterator[tuple[str, Float32]]:
    """Yield (name, float32 tensor) as ``LlamaForCausalLM`` names and shapes them."""
    shapes = {"self_attn.q_proj": (width, width), "self_attn.k_proj": (width // 2, width),
              "self_attn.v_proj": (width // 2, width), "self_attn.o_proj": (width, width),
              "mlp.gate_proj": (2 * width, width), "mlp.up_proj": (2 * width, width),
              "mlp.down_proj": (width, 2 * width)}
    yield "model.embed_tokens.weight", _matrix(random, _VOCABULARY, width)
    yield "model.norm.weight", np.ones(width, np.float32)
    for layer in range(layers):
        for name, (out, into) in shapes.items():
            yield f"model.layers.{layer}.{name}.weight", _matrix(random, out, into)
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield f"model.layers.{layer}.{name}.weight", np.ones(width, np.float32)


def _matrix(random: np.random.Generator, out: int, into: int) -> Float32:
    """Return (out, into) float32, scaled so that a signal keeps its size."""
    return np.asarray(random.standard_normal((out, into)) * into**-0.5, np.float32)
