"""Text to token ids, the same way in training, evaluation and serving.

The encoder speaks to the ``tokenizers`` library directly: no torch, no transformers, so that a runtime without either
can use it. It states its length policy (keep the first ``max_length`` tokens) and counts what it cuts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier.errors import DataError, ModelError
from luthier.models import _tokenizer_files as files
from luthier.schema import Batch, Bool, Int64, TextInput
from luthier.text import normalize as normalize_text
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_WINDOW = 1024
"""Rows given to the tokenizer at once: what it returns of each token is twenty times what is kept."""
_MARGIN = 128
"""Tokens that a pre-cut text must hold beyond ``max_length``: more than a cut in the middle of a word can change."""
_CHARACTERS_PER_TOKEN = 8
"""A first guess, generous for any language; a text with fewer tokens is given more characters until it is sure."""


@dataclass(frozen=True, slots=True)
class Ragged:
    """Token ids of N texts, each at its own length."""

    ids: list[list[int]]
    """N lists of token ids, special ones included."""
    type_ids: list[list[int]] | None
    """N lists of segment ids, or ``None`` when the model has no use for them."""
    truncated: Bool
    """(N,) bool, true where the text lost its end."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    @property
    def lengths(self) -> Int64:
        """Return (N,) int64, tokens of each text."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))


class Encoder:
    """A tokenizer with a length policy and a text normalisation. Open one with ``Encoder.load``."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        max_length: int,
        normalize: Form,
        pad_id: int,
        uses_type_ids: bool,
        tokenizer_config: dict[str, object],
    ) -> None:
        self.max_length = max_length
        """Most tokens of one input, special ones included."""
        self.normalize = normalize
        """Unicode form given to each text first."""
        self.pad_id = pad_id
        self.uses_type_ids = uses_type_ids
        """Whether the second text of a pair carries another segment id than the first."""
        self._tokenizer = tokenizer
        self._tokenizer_config = tokenizer_config
        # One integer object a token id, shared by all rows: 8 bytes a token instead of 36.
        self._numbers = list(range(tokenizer.get_vocab_size(with_added_tokens=True)))

    @classmethod
    def load(cls, directory: Path, *, max_length: int | None = None, normalize: Form = "nfc") -> Encoder:
        """Open the tokenizer of a model directory or bundle.

        Args:
            directory: holds ``tokenizer.json`` (or a vocabulary that transformers can convert) and ``config.json``.
            max_length: most tokens of one input, special ones included; the model's own limit when left out.
            normalize: Unicode form given to each text first.

        Raises:
            ModelError: no readable tokenizer, or a ``max_length`` that the model cannot take.
        """
        # A choice for the whole process, and only a default: with threads of its own the tokenizer would warn after,
        # or hang in, every fork, and it is a hundred times faster than the model that waits for it.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        directory = Path(directory)
        tokenizer = files.read_tokenizer(directory)
        config = files.read_json(directory / "config.json")
        tokenizer_config = files.read_tokenizer_config(directory)
        limit = files.longest_input(config, tokenizer_config)
        max_length = _checked_length(max_length, limit, tokenizer.num_special_tokens_to_add(True), directory)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length, strategy="longest_first")
        return cls(
            tokenizer,
            max_length=max_length,
            normalize=normalize,
            pad_id=files.pad_id(tokenizer, config, tokenizer_config),
            uses_type_ids=int(config.get("type_vocab_size", 0)) > 1 and any(tokenizer.encode("a", "a").type_ids),
            tokenizer_config=tokenizer_config,
        )

    def encode(self, texts: Sequence[TextInput]) -> Batch:
        """Encode N texts or pairs and pad them to the longest: ``ids (N, T) int64``, ``mask (N, T) bool``."""
        ragged = self.encode_ragged(texts)
        return self.collate(ragged, range(len(ragged)))

    def encode_ragged(self, texts: Sequence[TextInput]) -> Ragged:
        """Encode N texts or pairs, each at its own length, so that the caller can put like lengths together.

        Raises:
            DataError: a row is neither a text nor a pair of texts; the message gives its number.
        """
        shared = self._numbers.__getitem__
        paired = self.uses_type_ids and any(not isinstance(text, str) for text in texts)
        ids: list[list[int]] = []
        type_ids: list[list[int]] = []
        truncated: list[bool] = []
        for start in range(0, len(texts), _WINDOW):
            rows = [self._prepared(text, row) for row, text in enumerate(texts[start : start + _WINDOW], start)]
            for encoding in self._tokenizer.encode_batch_fast(rows):
                # A text without a token, where the tokenizer adds none: one of padding, so that each row has a first.
                ids.append(list(map(shared, encoding.ids)) or [self.pad_id])
                truncated.append(bool(encoding.overflowing))
                if paired:
                    type_ids.append(encoding.type_ids or [0])
        return Ragged(ids, type_ids if paired else None, np.array(truncated, np.bool_))

    def collate(self, ragged: Ragged, indices: Sequence[int] | Int64) -> Batch:
        """Pad B chosen rows on the right to the longest of them: ``ids (B, T) int64``, ``mask (B, T) bool``."""
        rows = [ragged.ids[index] for index in indices]
        width = max(map(len, rows), default=0)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        mask = np.arange(width) < lengths[:, None]  # (B, T)
        ids = np.full(mask.shape, self.pad_id, np.int64)
        ids[mask] = [token for row in rows for token in row]
        type_ids = None
        if ragged.type_ids is not None:
            type_ids = np.zeros_like(ids)
            type_ids[mask] = [segment for index in indices for segment in ragged.type_ids[index]]
        return Batch(ids, mask, type_ids, ragged.truncated[np.asarray(indices, np.int64)])

    def save(self, directory: Path) -> None:
        """Write the tokenizer's three files so that ``transformers.AutoTokenizer`` gives the same ids."""
        files.write_tokenizer(directory, self._tokenizer, self._tokenizer_config, self.max_length)

    def _prepared(self, text: TextInput, row: int) -> str | tuple[str, str]:
        if isinstance(text, str):
            return self._cut(normalize_text(text, self.normalize))
        if isinstance(text, (tuple, list)) and len(text) == 2 and all(isinstance(part, str) for part in text):
            first, second = (self._cut(normalize_text(part, self.normalize)) for part in text)
            return first, second
        shown = f"{text!r:.60}"
        raise DataError(
            f"row {row}: expected a text or a pair of texts, got {type(text).__name__} {shown}",
            "give each row as a str, or as a (str, str) pair",
        )

    def _cut(self, text: str) -> str:
        """Drop characters that cannot reach the first ``max_length`` tokens: a book costs no more than a page.

        Of a pair of two such texts the one odd token may so go to the other one; it goes there every time.
        """
        text = _valid(text)
        size = _CHARACTERS_PER_TOKEN * (self.max_length + _MARGIN)
        while len(text) > size:
            # At a white space where there is one near, so that no word is cut.
            end = max(text.rfind(" ", size - 128, size), text.rfind("\n", size - 128, size))
            head = text[: end if end > 0 else size]
            if _token_count(self._tokenizer.encode(head, add_special_tokens=False)) >= self.max_length + _MARGIN:
                return head
            size *= 4
        return text


def _valid(text: str) -> str:
    """Return the text with lone surrogates, which no UTF-8 can carry, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _token_count(encoding: Encoding) -> int:
    return len(encoding.ids) + sum(len(rest.ids) for rest in encoding.overflowing)


def _checked_length(asked: int | None, limit: int | None, special: int, directory: Path) -> int:
    if asked is None:
        return limit or 512
    if limit is not None and asked > limit:
        raise ModelError(
            f"max_length {asked} is more than the {limit} tokens that the model in {directory} can read",
            f"set model.max_length={limit} or less",
        )
    if asked <= special:
        raise ModelError(
            f"max_length {asked} leaves no room for text beside {special} special tokens",
            f"set model.max_length={special + 8} or more",
        )
    return asked
