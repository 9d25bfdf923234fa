"""A small honest double: a random-weight BERT directory that loads as any other and trains in seconds on a CPU.

Made without torch, so that a test can have one in milliseconds. Like many sentence encoders it carries no pooler.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from luthier.schema import Float32

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Special tokens in the order of their ids, 0 to 4."""

_HEADS = 4
_CJK_PUNCTUATION = "，。！？、；：（）《》“”…—"


def make(
    directory: Path,
    *,
    seed: int = 0,
    width: int = 32,
    layers: int = 2,
    heads: int = _HEADS,
    max_length: int = 128,
    texts: Sequence[str] = (),
) -> Path:
    """Write a random-weight ``BertModel`` directory: ``config.json``, ``model.safetensors`` and a tokenizer.

    Args:
        directory: where to write; made when missing.
        seed: of the weights.
        width: D, a multiple of ``heads``.
        layers: L.
        heads: H.
        max_length: longest input in tokens, special ones included.
        texts: their words become whole tokens; other words are spelt out in characters.

    Returns:
        The directory.
    """
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = list(dict.fromkeys(_vocabulary(texts)))
    _write_tokenizer(directory, vocabulary, max_length)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "max_position_embeddings": max_length,
        "type_vocab_size": 2,
        "pad_token_id": SPECIAL.index("[PAD]"),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = dict(_weights(np.random.default_rng(seed), len(vocabulary), width, layers, max_length))
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def _vocabulary(texts: Iterable[str]) -> Iterator[str]:
    """Yield special tokens, then characters (alone and inside a word), then the words of the texts."""
    from tokenizers.pre_tokenizers import BertPreTokenizer

    texts = list(texts)
    yield from SPECIAL
    # The first level of GB 2312: the 3,755 commonest Chinese characters. A word is one character there, so no "##".
    yield from bytes(byte for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF) for byte in (row, cell)).decode(
        "gb2312", "ignore"
    )
    yield from _CJK_PUNCTUATION
    for character in dict.fromkeys([*map(chr, range(33, 127)), *"".join(texts)]):
        if not character.isspace():
            yield character
            yield f"##{character}"
    splitter = BertPreTokenizer()
    for text in texts:
        yield from (word for word, _ in splitter.pre_tokenize_str(text))


def _write_tokenizer(directory: Path, vocabulary: list[str], max_length: int) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106  (no password)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(directory / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
               "mask_token": "[MASK]"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length,
              "model_input_names": ["input_ids", "token_type_ids", "attention_mask"], **special}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (directory / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n", encoding="utf-8")


def _weights(
    random: np.random.Generator, vocabulary: int, width: int, layers: int, positions: int
) -> Iterator[tuple[str, Float32]]:
    """Yield (name, float32 tensor) as ``BertModel`` names and shapes them."""

    # Scaled by the width, not BERT's 0.02: at width 32 that would pass next to no signal.
    def matrix(name: str, out: int, into: int) -> Iterator[tuple[str, Float32]]:
        yield f"{name}.weight", (random.standard_normal((out, into)) * into**-0.5).astype(np.float32)
        yield f"{name}.bias", np.zeros(out, np.float32)

    def norm(name: str) -> Iterator[tuple[str, Float32]]:
        yield f"{name}.weight", np.ones(width, np.float32)
        yield f"{name}.bias", np.zeros(width, np.float32)

    for name, rows in (("word", vocabulary), ("position", positions), ("token_type", 2)):
        table = random.standard_normal((rows, width)) * (1.0 if name == "word" else 0.1)
        yield f"embeddings.{name}_embeddings.weight", table.astype(np.float32)
    yield from norm("embeddings.LayerNorm")
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            yield from matrix(f"{prefix}attention.self.{part}", width, width)
        yield from matrix(f"{prefix}attention.output.dense", width, width)
        yield from norm(f"{prefix}attention.output.LayerNorm")
        yield from matrix(f"{prefix}intermediate.dense", 4 * width, width)
        yield from matrix(f"{prefix}output.dense", width, 4 * width)
        yield from norm(f"{prefix}output.LayerNorm")
