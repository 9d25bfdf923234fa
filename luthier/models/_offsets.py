"""From the places that a tokenizer gives, in the text it was given, to places in the caller's own text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from luthier.schema import Bool, Int64
from luthier.text import Aligned, aligned
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from tokenizers import Encoding

WORD_START = "\u2581"
"""What Unigram tokenizers write for a space, and put before a word that has none before it."""

_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SPACES = np.zeros(0x3002, np.bool_)
_SPACES[[point for point in range(0x3001) if chr(point).isspace()]] = True


def valid(text: str) -> str:
    """Return the text with lone surrogates, which no UTF-8 can carry, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def source(text: str, form: Form) -> Aligned:
    """Return the text as tokenizers can read it, and where each of its characters came from."""
    found = aligned(text, form)
    readable = valid(found.text)
    if len(readable) == len(found.text):
        return Aligned(readable, found.starts, found.ends)
    # Two halves of a pair have become one character.
    second = [match.start() + 1 for match in _SURROGATE_PAIR.finditer(found.text)]
    first = [place - 1 for place in second]
    ends = found.ends.copy()
    ends[first] = found.ends[second]
    return Aligned(readable, np.delete(found.starts, second), np.delete(ends, second))


def spans(encodings: Sequence[Encoding]) -> Int64:
    """Return the tokenizer's own offsets of all tokens, one encoding behind another: (T, 2) int64."""
    pairs = chain.from_iterable(encoding.offsets for encoding in encodings)
    return np.fromiter(chain.from_iterable(pairs), np.int64).reshape(-1, 2)


def located(found: Int64, part: Int64, sources: Sequence[Aligned], starts_word: Bool) -> Int64:
    """Return where tokens stand in the caller's own texts.

    Args:
        found: (T, 2) int64, offsets as the tokenizer gives them.
        part: (T,) int64, which source each token is from; -1 at special tokens.
        sources: the texts that the tokenizer was given.
        starts_word: (T,) bool, true where a token is nothing but ``WORD_START``.

    Returns:
        (T, 2) int64 characters. Special tokens stand at (0, 0); white space at either end is left out.
    """
    # One long text, each part of it with a character behind its end that tokens of nothing can stand at.
    text = "".join(f"{one.text} " for one in sources)
    lengths = np.array([len(one.text) + 1 for one in sources], np.int64)
    shift = np.append(0, np.cumsum(lengths))[np.maximum(part, 0)][:, None]
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    begin, end = _trimmed(found + shift, codes, starts_word)
    starts = np.concatenate([np.append(one.starts, one.ends[-1:].sum()) for one in sources])
    ends = np.concatenate([np.append(one.ends, 0) for one in sources])
    first = starts[begin]
    placed = np.stack([first, np.where(end > begin, ends[end - 1], first)], axis=1)
    placed[part < 0] = 0
    return placed


def _trimmed(found: Int64, codes: npt.NDArray[np.uint32], starts_word: Bool) -> tuple[Int64, Int64]:
    begin, end = found[:, 0].copy(), found[:, 1].copy()
    end[starts_word & (codes[begin] != ord(WORD_START))] = 0
    end = np.maximum(begin, end)
    space = _SPACES[np.minimum(codes, len(_SPACES) - 1)]
    if ((space[begin] | space[end - 1]) & (end > begin)).any():
        place = np.arange(len(codes), dtype=np.int64)
        following = np.minimum.accumulate(np.where(space, len(codes), place)[::-1])[::-1]
        before = np.maximum.accumulate(np.where(space, -1, place))
        begin = np.minimum(following[begin], end)
        end = np.where(end > begin, before[end - 1] + 1, end)
    return begin, end
