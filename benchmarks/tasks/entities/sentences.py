"""Sentences of words with tags, and what both sides answer about them: spans of characters in the same text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.data import Columns, inspect
from luthier.data.cells.tags import bio, entities
from luthier.data.read import read_with_cells
from luthier.errors import DataError


@dataclass(frozen=True, slots=True)
class Sentence:
    """One row of a CoNLL file."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    """Of each word, B, I and O."""
    places: tuple[tuple[int, int], ...]
    """Of each word in the text."""
    text: str
    """As Luthier joins the words."""


def read_sentences(path: Path) -> list[Sentence]:
    """Read a CoNLL file; every row must be usable.

    Raises:
        DataError: one is not.
    """
    layout = inspect(path, Columns(), task="named-entities")

    def refuse(row: Any) -> None:
        raise DataError(f"{path}:{row.line}: {row.reason}", "give the file of the data set")

    found = []
    for example, cells in read_with_cells(layout, on_bad=refuse):
        words = tuple(str(word) for word in cells["tokens"])
        tags = bio(entities(cells["ner_tags"]), len(words))
        found.append(Sentence(words, tuple(tags), tuple(_places(example.text, words)), example.text))
    return found


def _places(text: str, words: Sequence[str]) -> Iterable[tuple[int, int]]:
    at = 0
    for word in words:
        at = text.index(word, at)
        yield at, at + len(word)
        at += len(word)


def write_sentences(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write a CoNLL file."""
    with path.open("w", encoding="utf-8") as file:
        for one in sentences:
            file.write("".join(f"{word}\t{tag}\n" for word, tag in zip(one.words, one.tags, strict=True)) + "\n")


def spans_of(sentence: Sentence) -> list[list[Any]]:
    """Return [start, end, type] of each entity, in characters of the text."""
    return [[sentence.places[first][0], sentence.places[behind - 1][1], kind]
            for first, behind, kind in entities(sentence.tags)]
