"""CoNLL: a token and its tag on each line, a blank line between sentences.

The layout of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder, 2003): columns parted by tabs or spaces, the
token in the first, the tag in the last. Lines that begin with ``-DOCSTART-`` and comments above a sentence are passed
over. Where the first column only numbers tokens or sentences (GermEval, CoNLL-U), the token is in the second. Of
GermEval's two columns of tags that of the outer names is read. Where each token is a character and its place in a word
(``小0``, ``明1``), as in Weibo NER (Peng and Dredze, 2015), the place is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from luthier.data.cells.tags import is_meant_as_tag
from luthier.data.readers._encoding import DAMAGE, HEAD_BYTES, decode_head, open_text, resolve
from luthier.data.readers._files import suffix_of
from luthier.data.readers._objects import starts_with_object
from luthier.data.readers._tagged import START, columns_of, ends_in_tag, has_bare_tags, is_comment, looks_tagged
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".bmes", ".ner")
IS_TEXT = True

INNER, OUTER = -1, -2
"""The column of tags, from the end."""

_COUNTED = 2
"""Lines from which on numbers show that they count."""
_NEARLY_ALL = 0.98
"""Share of tokens that bear their place in a word: annotators of Weibo left it out here and there."""
_NUMBER = re.compile(r"[0-9]{1,9}(?:[-.][0-9]{1,9})?")
_WITHIN = re.compile(r"[0-9]{1,9}[-.][0-9]{1,9}")
_IN_WORD = re.compile(r"(\w|\W+)([0-9]{1,2})")
"""An emoji may be of several code points."""

_Sentence = list[tuple[int, str]]
"""Number and content of each line."""


def sniff(path: Path, head: bytes) -> bool:
    """Accept lines that end in tags with blank lines between sentences; under a name of CoNLL, one such line."""
    text = decode_head(head)
    if text is None or starts_with_object(text):
        return False
    return looks_tagged(text) or (suffix_of(path) in SUFFIXES and any(map(ends_in_tag, text.split("\n"))))


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield a row for each sentence, lazily: its ``tokens`` and ``ner_tags``, with the line of its first token."""
    codec = resolve(path, encoding)
    skip, last = _columns(path, codec)
    head = _head(path, codec)
    bare, in_words = has_bare_tags(head), _are_in_words(head, skip)
    with open_text(path, codec) as file:
        for sentence in _sentences(file, comments=not bare):
            yield _characters(_record(sentence, skip, last)) if in_words else _record(sentence, skip, last)


def notes(path: Path, encoding: str | None) -> list[str]:
    """Return what was guessed about the columns."""
    codec = resolve(path, encoding)
    skip, last = _columns(path, codec)
    return (["each character bears its place in its word, which is left out"] * _are_in_words(_head(path, codec), skip)
            + ["the first column only numbers tokens or sentences, so the token is taken from the second"] * skip
            + ["the last two columns hold tags, as in GermEval: those of outer names are taken, and inner ones left"
               " out; give both as spans (start, end, label) to find nested names"] * (last == OUTER))


def _sentences(lines: Iterator[str], *, comments: bool) -> Iterator[_Sentence]:
    """Yield the lines of each sentence without comments; among bare tags ``#tag`` is a token, whatever follows it."""
    sentence: _Sentence = []
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if not text.strip() or text.startswith(START):
            if sentence:
                yield sentence
            sentence = []
        elif sentence or not (comments and is_comment(text)):
            sentence.append((number, text))
    if sentence:
        yield sentence


def _record(sentence: _Sentence, skip: int, last: int) -> Record | BadRow:
    tokens, tags = [], []
    for number, line in sentence:
        if DAMAGE in line:
            return BadRow(number, "bytes that do not belong to the file's encoding")
        cells = columns_of(line)
        if skip and _WITHIN.fullmatch(cells[0]):
            continue  # CoNLL-U: 2-3 for what is written in one word, 5.1 for what is not written
        cells = cells[skip:]
        if len(cells) < 2:
            return BadRow(number, f"expected a token and its tag, came {line.strip()[:40]!r} without a tag")
        tokens.append(cells[0])
        tags.append(cells[max(last, 1 - len(cells))])
    return Record(sentence[0][0], {"tokens": tokens, "ner_tags": tags})


def _are_in_words(head: Sequence[str], skip: int) -> bool:
    """Tell whether each token is a character and its place in a word, which counts from 0 in each."""
    count, right, rising, before = 0, 0, False, -1
    for line in head[:-1]:
        if not line.strip() or line.startswith(START):
            before = -1
            continue
        found = _IN_WORD.fullmatch("".join(columns_of(line)[skip : skip + 1]))
        place = int(found[2]) if found else None
        right += place in (0, before + 1)
        rising = rising or (found is not None and place == before + 1 > 0 and not found[1].isascii())
        count, before = count + 1, -1 if place is None else place
    return rising and right >= _NEARLY_ALL * count


def _characters(row: Record | BadRow) -> Record | BadRow:
    """Return a sentence without the places of its characters in their words."""
    if isinstance(row, BadRow):
        return row
    tokens = [found[1] if (found := _IN_WORD.fullmatch(token)) else token for token in row.values["tokens"]]
    return Record(row.line, {**row.values, "tokens": tokens})


def _columns(path: Path, codec: str) -> tuple[int, int]:
    """Return how many columns to pass over and which one holds the tags, counted from the end.

    The first of at least three is passed over when it holds nothing but numbers that count tokens or sentences. Behind
    such a one, two columns of tags are GermEval's: of outer names and of inner ones.
    """
    lines = [line for line in _head(path, codec)[:-1] if line.strip() and not line.startswith(("#", START))]
    cells = [columns_of(line) for line in lines]
    if len(cells) < _COUNTED or any(len(row) < 3 for row in cells) or not _count([row[0] for row in cells]):
        return 0, INNER
    if len({row[1] for row in cells}) == 1:  # no tokens: a part of speech, say, beside numbers that are some
        return 0, INNER
    two = all(len(row) == 4 and all(map(is_meant_as_tag, row[2:])) for row in cells)
    return 1, OUTER if two else INNER


def _count(cells: Sequence[str]) -> bool:
    """Tell whether cells count: each goes on with the one before, repeats it, or begins again."""
    if not all(map(_NUMBER.fullmatch, cells)):
        return False
    numbers = [int(re.split("[-.]", cell)[0]) for cell in cells]
    return all(number - before in (0, 1) or number in (0, 1) for before, number in pairwise(numbers))


def _head(path: Path, codec: str) -> list[str]:
    """Return the first lines; the last may be cut off."""
    with open_text(path, codec) as file:
        return file.read(HEAD_BYTES).removeprefix("\ufeff").split("\n")
