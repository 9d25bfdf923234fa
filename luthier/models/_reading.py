"""Three ways from texts to rows of token ids: cut to length, cut to length with places, and as windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from luthier.errors import DataError
from luthier.models import _offsets
from luthier.models._frames import Frame, Reach, around, at_ends, windows
from luthier.models._ragged import Rows
from luthier.schema import Int64, Marked, TextInput
from luthier.text import Aligned, Written, sentence_ends, written
from luthier.text import normalize as normalize_text
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_WINDOW = 1024
"""Rows given to the tokenizer at once: what it returns of each token is twenty times what is kept."""
_CHARACTERS = 1 << 20
"""Characters that make fewer rows enough, where none is cut first."""
_MARGIN = 128
"""Tokens that a pre-cut text must hold beyond ``max_length``: more than a cut in the middle of a word can change."""
_CHARACTERS_PER_TOKEN = 8
"""A first guess, generous for any language; a text with fewer tokens is given more characters until it is sure."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A tokenizer, set to its length policy, and what a text goes through before it."""

    tokenizer: Tokenizer
    max_length: int
    form: Form
    pad_id: int
    numbers: list[int]
    """One integer object a token id, shared by all rows: 8 bytes a token instead of 36."""
    spelled_end: tuple[int, int] | None = None
    """The id that ends texts, and what stands in its place where a text spells it: classifiers of encoder-decoders look
    for as many ends in each row."""

    def cut(self, texts: Sequence[TextInput], rows: Rows, *, paired: bool) -> None:
        """Keep the first tokens of each text; the longer of a pair loses its end first."""
        for start in range(0, len(texts), _WINDOW):
            given = [self._prepared(text, row) for row, text in enumerate(texts[start : start + _WINDOW], start)]
            for encoding in self.tokenizer.encode_batch_fast(given):
                # A text without a token, where the tokenizer adds none: one of padding, so that each row has a first.
                rows.ids.append(self._ids(encoding) or [self.pad_id])
                rows.truncated.append(bool(encoding.overflowing))
                if paired:
                    rows.type_ids.append(encoding.type_ids or [0])

    def cut_with_places(self, texts: Sequence[TextInput], rows: Rows, *, paired: bool) -> None:
        """Do as ``cut`` does, and say where in the texts the tokens stand."""
        frames = Frame.of(self.tokenizer, pair=False), Frame.of(self.tokenizer, pair=True)
        for start in range(0, len(texts), _WINDOW):
            sources = [[self._source(part, whole=False) for part in parts_of(text, row)]
                       for row, text in enumerate(texts[start : start + _WINDOW], start)]
            encodings = self.tokenizer.encode_batch([_given([one.text for one in parts]) for parts in sources])
            first = 0
            part: list[Int64] = []
            for parts, encoding in zip(sources, encodings, strict=True):
                sequence = _sequence(encoding, frames[len(parts) - 1], len(parts))
                part.append(np.where(sequence < 0, -1, sequence + first))
                first += len(parts)
                rows.ids.append(self._ids(encoding) or [self.pad_id])
                rows.truncated.append(bool(encoding.overflowing))
                rows.sequence.append(sequence if len(sequence) else np.full(1, -1, np.int64))
                if paired:
                    rows.type_ids.append(encoding.type_ids or [0])
            placed = self._located(encodings, part, [one for parts in sources for one in parts])
            rows.offsets += [one if len(one) else np.zeros((1, 2), np.int64) for one in placed]

    def windowed_with_places(self, texts: Sequence[TextInput], rows: Rows, *, overlap: int,
                             reach: Reach | None = None) -> None:
        """Make windows of the texts that are too long, rows that name the text they are from, and say where in the
        texts the tokens stand; of texts with marks the windows around these, of others those that end with sentences
        where ``reach`` says how long they are.
        """
        frames = Frame.of(self.tokenizer, pair=False), Frame.of(self.tokenizer, pair=True)
        for first, counts, parts in _batches(texts):
            sources = [self._source(part, whole=True) for part in parts]
            encodings = self.tokenizer.encode_batch([one.text for one in sources], add_special_tokens=False)
            tokens = list(map(self._ids, encodings))
            owner = [np.full(len(ids), number, np.int64) for number, ids in enumerate(tokens)]
            places = self._located(encodings, owner, sources)
            ends = np.cumsum([0, *counts]).tolist()
            for number, (begin, end) in enumerate(pairwise(ends), first):
                row = texts[number]
                text = _Text(number, frames[end - begin - 1], tokens[begin:end], places[begin:end],
                             written(row) if isinstance(row, Marked) else None,
                             sentence_ends(row) if reach is not None and isinstance(row, str) else None)
                self._add(text, rows, overlap, reach)

    def windowed(self, texts: Sequence[TextInput], rows: Rows, *, overlap: int) -> None:
        """Make windows of the texts that are too long: rows that name the text they are from.

        A text that fits has the ids that ``cut`` gives it, and costs no more than there.
        """
        frames = Frame.of(self.tokenizer, pair=False), Frame.of(self.tokenizer, pair=True)
        for first, counts, parts in _batches(texts):
            given = iter([_valid_form(part, self.form) for part in parts])
            whole = [_given([next(given) for _ in range(count)]) for count in counts]
            for number, encoding in enumerate(self.tokenizer.encode_batch_fast(whole), first):
                ids = self._ids(encoding)
                if len(ids) <= self.max_length:
                    rows.ids.append(ids or [self.pad_id])
                    rows.type_ids.append(encoding.type_ids or [0])
                    rows.truncated.append(False)
                    rows.owners.append(number)
                    rows.fresh.append(len(ids))
                    continue
                count = counts[number - first]
                names = _sequence(encoding, frames[count - 1], count).tolist()
                tokens = [[token for token, name in zip(ids, names, strict=True) if name == part]
                          for part in range(count)]
                self._add(_Text(number, frames[count - 1], tokens, []), rows, overlap)

    def _ids(self, encoding: Encoding) -> list[int]:
        ids = list(map(self.numbers.__getitem__, encoding.ids))
        if self.spelled_end is None or self.spelled_end[0] not in ids:
            return ids
        end, unknown = self.spelled_end
        # The tokenizer's own ends, which it puts around a text, belong to no text.
        return [unknown if token == end and text is not None else token
                for token, text in zip(ids, encoding.sequence_ids, strict=True)]

    def _add(self, text: _Text, rows: Rows, overlap: int, reach: Reach | None = None) -> None:
        """Add the windows of one text."""
        found = self._windows(text, overlap, reach)
        lost, read = text.loses(found), [0] * len(text.tokens)
        for window in found:
            ids = [ids[part] for ids, part in zip(text.tokens, window, strict=True)]
            rows.ids.append(text.frame.ids(ids) or [self.pad_id])
            rows.type_ids.append(text.frame.type_ids(ids) or [0])
            rows.truncated.append(lost)
            rows.owners.append(text.number)
            rows.fresh.append(sum(part.stop - max(part.start, end) for part, end in zip(window, read, strict=True)))
            read = [part.stop for part in window]
            if text.places:
                sequence = text.frame.sequence([len(part) for part in ids])
                placed = np.zeros((max(len(sequence), 1), 2), np.int64)
                for name, (one, part) in enumerate(zip(text.places, window, strict=True)):
                    placed[: len(sequence)][sequence == name] = one[part]
                rows.offsets.append(placed)
                rows.sequence.append(sequence if len(sequence) else np.full(1, -1, np.int64))

    def _windows(self, text: _Text, overlap: int, reach: Reach | None) -> list[tuple[slice, ...]]:
        counts, room = [len(ids) for ids in text.tokens], self.max_length - text.frame.special
        if reach is not None and text.ends is not None:
            return at_ends(text.places[0], text.ends, room, overlap, reach)
        if text.marks is None or counts[0] <= room:
            return windows(counts, room, overlap)
        return [(part,) for part in around(counts[0], room, text.marked_tokens)]

    def _prepared(self, text: TextInput, row: int) -> str | tuple[str, str]:
        if isinstance(text, str):
            return self._head(_valid_form(text, self.form))
        return _given([self._head(_valid_form(part, self.form)) for part in parts_of(text, row)])

    def _source(self, text: str, *, whole: bool) -> Aligned:
        found = _offsets.source(text, self.form)
        head = found.text if whole else self._head(found.text)
        return Aligned(head, found.starts[: len(head)], found.ends[: len(head)])

    def _located(self, encodings: Sequence[Encoding], part: Sequence[Int64], sources: Sequence[Aligned]) -> list[Int64]:
        """Return the places of the tokens of each encoding, (T, 2) int64."""
        ids = np.fromiter((number for encoding in encodings for number in encoding.ids), np.int64)
        start = self.tokenizer.token_to_id(_offsets.WORD_START)
        placed = _offsets.located(_offsets.spans(encodings), np.concatenate(part), sources,
                                  ids == (-1 if start is None else start))
        return np.split(placed, np.cumsum([len(one) for one in part])[:-1])

    def _head(self, text: str) -> str:
        """Drop characters that cannot reach the first ``max_length`` tokens: a book costs no more than a page.

        Of a pair of two such texts the one odd token may so go to the other one; it goes there every time.
        """
        size = _CHARACTERS_PER_TOKEN * (self.max_length + _MARGIN)
        while len(text) > size:
            # At a white space where there is one near, so that no word is cut.
            end = max(text.rfind(" ", size - 128, size), text.rfind("\n", size - 128, size))
            head = text[: end if end > 0 else size]
            if _token_count(self.tokenizer.encode(head, add_special_tokens=False)) >= self.max_length + _MARGIN:
                return head
            size *= 4
        return text


@dataclass(frozen=True, slots=True)
class _Text:
    """A text or a pair, read whole."""

    number: int
    frame: Frame
    tokens: list[list[int]]
    """Of the text, or of each of the pair."""
    places: list[Int64]
    """(T, 2) int64 of each; empty where nobody asked."""
    marks: Written | None = None
    """Where marks stand in the text, if it has some."""
    ends: Sequence[int] | None = None
    """Where its sentences end, if that is where windows end."""

    @property
    def marked_tokens(self) -> tuple[int, int, int]:
        """Return the tokens at the marks before the two arguments, in their order, and that behind the last mark."""
        assert self.marks is not None  # noqa: S101 - nobody else asks
        ends = self.places[0][:, 1]  # a token stands at a place when it is the first to end behind it
        first, second = sorted((self.marks.head, self.marks.tail))
        at = [int((ends > place).argmax()) for place in (first, second)]
        return at[0], at[1], int(np.flatnonzero(self.places[0][:, 0] < self.marks.end).max(initial=0)) + 1

    def loses(self, windows: Sequence[tuple[slice, ...]]) -> bool:
        """Return whether a part of the text, or of one of a pair, stands in no window."""
        if self.marks is not None:
            return bool(windows[0][0].stop - windows[0][0].start < len(self.tokens[0]))
        return any(windows[-1][name].stop < len(ids) for name, ids in enumerate(self.tokens))


def parts_of(text: TextInput, row: int) -> tuple[str, ...]:
    """Return the text, or the two of a pair; a text with marked stretches with its marks.

    Raises:
        DataError: it is neither; the message gives its number.
    """
    if isinstance(text, str):
        return (text,)
    if isinstance(text, Marked):
        return (written(text).text,)
    if isinstance(text, (tuple, list)) and len(text) == 2 and all(isinstance(part, str) for part in text):
        return tuple(text)
    shown = f"{text!r:.60}"
    raise DataError(
        f"expected a text or a pair of texts, got {type(text).__name__} {shown}",
        "give each row as a str, or as a (str, str) pair",
        row=row,
    )


def _batches(texts: Sequence[TextInput]) -> Iterator[tuple[int, list[int], list[str]]]:
    """Yield the number of the first text, how many parts each has, and the parts, some texts at a time."""
    first, counts, parts, characters = 0, list[int](), list[str](), 0
    for row, text in enumerate(texts):
        found = parts_of(text, row)
        counts.append(len(found))
        parts += found
        characters += sum(map(len, found))
        if characters >= _CHARACTERS or len(counts) >= _WINDOW or row == len(texts) - 1:
            yield first, counts, parts
            first, counts, parts, characters = row + 1, [], [], 0


def _given(parts: Sequence[str]) -> str | tuple[str, str]:
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _valid_form(text: str, form: Form) -> str:
    return _offsets.valid(normalize_text(text, form))


def _sequence(encoding: Encoding, frame: Frame, parts: int) -> Int64:
    """Return (T,) int64, the text of a pair that each token is from, -1 at special ones."""
    second = encoding.sequence_ids.count(1) if parts == 2 else 0
    return frame.sequence([len(encoding.ids) - frame.special - second, second])


def _token_count(encoding: Encoding) -> int:
    return len(encoding.ids) + sum(len(rest.ids) for rest in encoding.overflowing)
