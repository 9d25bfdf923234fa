"""Texts as an encoder-decoder learns to write them and as they are weighed: token ids up to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from luthier.models._ragged import Ragged
from luthier.models.encoding import Encoder
from luthier.models.seq2seq import target_tokens_of
from luthier.text.normalize import Form


@dataclass(frozen=True, slots=True)
class TargetEncoder:
    """The tokenizer of what is written, which has another language, normal form and length than what is read."""

    encoder: Encoder
    end: int
    """Id of the token that ends a text."""

    @classmethod
    def load(cls, directory: Path, *, normalize: Form, language: str | None,
             max_length: int | None = None) -> TargetEncoder:
        """Open the tokenizer of a model or bundle for its targets.

        Args:
            directory: of the model or bundle.
            normalize: Unicode form given to sources. What is written keeps its width and its signs: NFC at most.
            language: code of the language of the targets, of models of many.
            max_length: most tokens of a target; as many as the model has places for when left out.

        Raises:
            ModelError: see ``Encoder.load``; or the model does not say how its texts end.
        """
        encoder = Encoder.load(directory, max_length=max_length, language=language, written=True,
                               normalize="none" if normalize == "none" else "nfc")
        return cls(encoder, target_tokens_of(directory).eos[0])

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N texts."""
        return self.ended(self.encoder.encode_ragged(list(texts))).ids

    def ended(self, ragged: Ragged) -> Ragged:
        """Let texts end with the end: put it behind those of a tokenizer that does not, leave out what others put
        behind. What was cut is left without, where the tokenizer puts none.
        """
        end = self.end
        return replace(ragged, ids=[ids[: ids.index(end) + 1] if end in ids else ids if cut else [*ids, end]
                                    for ids, cut in zip(ragged.ids, ragged.truncated.tolist(), strict=True)])
