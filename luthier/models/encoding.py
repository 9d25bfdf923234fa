"""Text to token ids, the same way in training, evaluation and serving.

The encoder speaks to the ``tokenizers`` library directly: no torch, no transformers, so that a runtime without either
can use it. It states its length policy and counts what it cuts: it keeps the first ``max_length`` tokens, or, given
an overlap, makes as many windows of a text as it takes and cuts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier.errors import ModelError
from luthier.models import _tokenizer_files as files
from luthier.models._frames import Reach
from luthier.models._languages import set_language
from luthier.models._ragged import Ragged, Rows, spread
from luthier.models._reading import Reader
from luthier.models.architecture import places_follow_padding
from luthier.models.files import read_json
from luthier.schema import Batch, Int64, Marked, TextInput
from luthier.text.normalize import Form

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Encoder", "Ragged", "Reach", "spread"]


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
        overlap: int | None = None,
        language: str | None = None,
    ) -> None:
        self.max_length = max_length
        """Most tokens of one input, special ones included."""
        self.overlap = overlap
        """Tokens that neighbouring windows of a text share; ``None`` where a text is cut instead."""
        self.language = language
        """Code of the language that was set; ``None`` where none was."""
        self.normalize = normalize
        """Unicode form given to each text first."""
        self.pad_id = pad_id
        self.uses_type_ids = uses_type_ids
        """Whether the second text of a pair carries another segment id than the first."""
        self.targets: Callable[[Sequence[str]], list[list[int]]] | None = None
        """What gives the token ids of texts that are written; ``None`` where they are as those that are read."""
        self._tokenizer = tokenizer
        self._tokenizer_config = tokenizer_config
        numbers = list(range(tokenizer.get_vocab_size(with_added_tokens=True)))
        self._reader = Reader(tokenizer, max_length, normalize, pad_id, numbers)

    @classmethod
    def load(cls, directory: Path, *, max_length: int | None = None, normalize: Form = "nfc",
             overlap: float | None = None, language: str | None = None, written: bool = False) -> Encoder:
        """Open the tokenizer of a model directory or bundle.

        Args:
            directory: holds ``tokenizer.json`` (or a vocabulary that transformers can convert) and ``config.json``.
            max_length: most tokens of one input, special ones included; the model's own limit when left out.
            normalize: Unicode form given to each text first.
            overlap: when given, a text of more tokens is not cut, but becomes windows that share so many tokens with
                their neighbours; a ``float`` is a share of ``max_length``. Of a pair it is the second text; the first
                one stands in each window, cut to half its room where both do not fit. Where only the second fits into
                half of the room, it is the first text, and nothing is cut.
            language: code of the language that texts carry, of models of many; the tokenizer's own when left out.
            written: whether it is for texts that the model writes. Its places alone limit those, and not what the
                tokenizer says of inputs, which in a bundle is the length that sources were cut at.

        Raises:
            ModelError: no readable tokenizer, or a ``max_length``, ``overlap`` or ``language`` that the model cannot
                take.
        """
        # A choice for the whole process, and only a default: with threads of its own the tokenizer would warn after,
        # or hang in, every fork, and it is a hundred times faster than the model that waits for it.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        directory = Path(directory)
        tokenizer = files.read_tokenizer(directory)
        config = read_json(directory / "config.json")
        tokenizer_config = files.read_tokenizer_config(directory)
        if language is not None:
            set_language(tokenizer, tokenizer_config, language)
        limit = files.longest_input(config, {} if written else tokenizer_config)
        special = tokenizer.num_special_tokens_to_add(True)
        max_length = _checked_length(max_length, limit, special, directory)
        shared = int(overlap * max_length) if isinstance(overlap, float) else overlap
        shared = _checked_overlap(shared, max_length - special)
        tokenizer.no_padding()
        if shared is None:
            tokenizer.enable_truncation(max_length, strategy="longest_first")
        else:
            tokenizer.no_truncation()
        encoder = cls(
            tokenizer,
            max_length=max_length,
            normalize=normalize,
            pad_id=files.pad_id(tokenizer, config, tokenizer_config),
            uses_type_ids=int(config.get("type_vocab_size") or 0) > 1 and any(tokenizer.encode("a", "a").type_ids),
            tokenizer_config=tokenizer_config,
            overlap=shared,
            language=language,
        )
        unknown, end = files.unknown_id(tokenizer, tokenizer_config), config.get("eos_token_id")
        if unknown is not None and places_follow_padding(config):
            # Such models pass over padding when they count places: a text that spells it shall shift none.
            encoder._reader.numbers[encoder.pad_id] = unknown
        if unknown is not None and config.get("is_encoder_decoder") and isinstance(end, int) and not written:
            encoder._reader = replace(encoder._reader, spelled_end=(end, unknown))
        return encoder

    @property
    def spelled_end(self) -> tuple[int, int] | None:
        """Return the id that ends texts, and what stands for it where a text spells it; ``None`` where that is free."""
        return self._reader.spelled_end

    def encode(self, texts: Sequence[TextInput]) -> Batch:
        """Encode N texts or pairs and pad them to the longest: ``ids (N, T) int64``, ``mask (N, T) bool``.

        Given an overlap, rows are windows: W of them, in the order of the texts.
        """
        ragged = self.encode_ragged(texts)
        return self.collate(ragged, range(len(ragged)))

    def encode_ragged(self, texts: Sequence[TextInput], *, offsets: bool = False,
                      reach: Reach | None = None) -> Ragged:
        """Encode N texts or pairs, each at its own length, so that the caller can put like lengths together.

        Args:
            texts: N texts or pairs of texts.
            offsets: also say where in the text each token stands, at about twice the time.
            reach: how much of a text a window holds, where windows shall end with sentences; read with offsets alone.

        Raises:
            DataError: a row is neither a text nor a pair of texts; the message gives its number.
        """
        rows = Rows()
        paired = self.uses_type_ids and any(not isinstance(text, str) for text in texts)
        marked = any(isinstance(text, Marked) for text in texts)
        if self.overlap is not None and (offsets or marked):
            self._reader.windowed_with_places(texts, rows, overlap=self.overlap, reach=reach)
        elif self.overlap is not None:
            self._reader.windowed(texts, rows, overlap=self.overlap)
        elif offsets:
            self._reader.cut_with_places(texts, rows, paired=paired)
        else:
            self._reader.cut(texts, rows, paired=paired)
        return rows.ragged(paired=paired, offsets=offsets, overlap=self.overlap)

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

    @property
    def ends(self) -> tuple[int, ...]:
        """Return the ids that end what is written beside the model's own; none."""
        return ()

    def written(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N texts as a model writes them, where that is not as it reads them."""
        return self.encode_ragged(list(texts)).ids if self.targets is None else self.targets(texts)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def save(self, directory: Path) -> None:
        """Write the tokenizer's three files so that ``transformers.AutoTokenizer`` gives the same ids."""
        tokenizer = self._tokenizer
        if self.overlap is not None:
            # Other tools know no windows of ours: with them a text is cut at the same length.
            tokenizer = type(tokenizer).from_str(tokenizer.to_str())
            tokenizer.enable_truncation(self.max_length, strategy="longest_first")
        files.write_tokenizer(directory, tokenizer, self._tokenizer_config, self.max_length)


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


def _checked_overlap(asked: int | None, room: int) -> int | None:
    if asked is not None and not 0 <= asked < room:
        raise ModelError(
            f"overlap {asked} does not fit windows with room for {room} tokens of text",
            f"set model.overlap from 0 to {room - 1}, or a larger model.max_length",
        )
    return asked
