"""Texts as an encoder-decoder learns to write them and as they are weighed: token ids up to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from luthier.models._ragged import Ragged
from luthier.models.encoding import Encoder
from luthier.models.seq2seq import target_tokens_of
from luthier.text.normalize import Form


class TargetEncoder:
    """The tokenizer of what is written, which has another language, normal form and length than what is read."""

    def __init__(self, directory: Path, *, normalize: Form, language: str | None,
                 max_length: int | None = None) -> None:
        # What is written keeps its width and its signs, whatever is done to what is read.
        self.encoder = Encoder.load(directory, max_length=max_length, language=language, written=True,
                                    normalize="none" if normalize == "none" else "nfc")
        self._end = target_tokens_of(directory).eos[0]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N texts."""
        return self.ended(self.encoder.encode_ragged(list(texts))).ids

    def ended(self, ragged: Ragged) -> Ragged:
        """Let texts end with the end: put it behind those of a tokenizer that does not, leave out what others put
        behind. What was cut is left without, where the tokenizer puts none.
        """
        end = self._end
        return replace(ragged, ids=[ids[: ids.index(end) + 1] if end in ids else ids if cut else [*ids, end]
                                    for ids, cut in zip(ragged.ids, ragged.truncated.tolist(), strict=True)])
