"""Texts of a wanted number of tokens, made of sentences of SST-2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from luthier.errors import DataError


def labelled(data: Path) -> list[str]:
    """Return the rows of SST-2's training split, each a line of JSON.

    Raises:
        DataError: they are not there.
    """
    path = data / "sst2" / "train.jsonl"
    if not path.is_file():
        raise DataError(f"no sst2/train.jsonl in {data}", "give the folder that holds the data sets: --data DIR")
    return path.read_text(encoding="utf-8").splitlines()


def sentences(data: Path) -> list[str]:
    """Return the sentences of SST-2's training split.

    Raises:
        DataError: they are not there.
    """
    return [json.loads(line)["text"] for line in labelled(data)]


def joined(sentences: Sequence[str], words: int, random: np.random.Generator) -> str:
    """Return sentences at random, one behind the other, of at least so many words."""
    found: list[str] = []
    while len(found) < words:
        found += sentences[int(random.integers(len(sentences)))].split()
    return " ".join(found)


def joined_texts(data: Path, rows: int, tokens: int) -> list[str]:
    """Return texts of about so many tokens on average, half to one and a half times as many each; always the same.

    Raises:
        DataError: the sentences are not there.
    """
    source, random = sentences(data), np.random.default_rng(0)
    # A word of SST-2 has 1.13 tokens of minilm-l6, and two tokens stand around a text.
    words = (random.integers(tokens // 2, tokens * 3 // 2 + 1, rows) - 2) / 1.13
    return [" ".join(joined(source, int(count), random).split()[: max(1, int(count))]) for count in words]
