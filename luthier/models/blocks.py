"""Documents to blocks of token ids: one after the other with a separator between, cut to the length of a model.

As the scripts ``run_mlm`` and ``run_clm`` of transformers lay texts out, but nothing is left over: what remains at the
end is a shorter block. A document whose likelihood is asked stands in blocks of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from luthier.errors import DataError, ModelError
from luthier.models import _offsets
from luthier.models import _tokenizer_files as files
from luthier.models._ragged import Ragged
from luthier.models.encoding import Encoder
from luthier.models.masking import SPECIAL, Masking
from luthier.schema import MASKS, Batch, Document, Int64, TextInput
from luthier.text import normalize
from luthier.text.normalize import Form
from luthier.text.words import units

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

USUAL = {True: 256, False: 512}
"""Whether tokens are hidden -> tokens of a block where the recipe leaves it open and the model has places for more."""
_END = "<|endoftext|>"
"""What most decoders saw between documents; where they have it, it goes before their ``eos_token``, which may end a
turn of a chat."""
_WINDOW = 1024
"""Texts given to the tokenizer at once."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around and between documents."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    """Behind a block where tokens are hidden, behind a document where it is gone on with."""


class BlockEncoder:
    """A tokenizer that lays out documents. Open one with ``BlockEncoder.load``."""

    overlap = None

    def __init__(self, encoders: tuple[Encoder, Encoder], tokenizer: Tokenizer, frame: Frame, *,
                 masking: Masking | None, whole_words: bool, room: int, ends: tuple[int, ...]) -> None:
        encoder, self._whole = encoders  # that of blocks, and one that reads as much as the model can
        self._encoder, self._tokenizer = encoder, tokenizer
        self._whole_words, self._room = whole_words, room
        self.frame = frame
        self.masking = masking
        """How tokens are hidden; ``None`` where each is told from those before it."""
        self.ends = ends
        """Ids that end what is written."""
        self.max_length, self.normalize, self.pad_id = encoder.max_length, encoder.normalize, encoder.pad_id

    @classmethod
    def load(cls, directory: Path, *, max_length: int | None, normalize: Form, mlm_probability: float | None = None,
             whole_words: bool = False, new_tokens: int = 0) -> BlockEncoder:
        """Open the tokenizer of a model directory or bundle.

        Args:
            directory: holds ``tokenizer.json`` and ``tokenizer_config.json``.
            max_length: most tokens of a block, special ones included; when left out 256 where tokens are hidden and 512
                where not, or as many as the model has places for.
            normalize: Unicode form given to each text first.
            mlm_probability: share of the words that are hidden; ``None`` where none are.
            whole_words: whether all tokens of a word are hidden together.
            new_tokens: most tokens that are written behind a text, which are kept free, but no more than half.

        Raises:
            ModelError: no readable tokenizer, a ``max_length`` that the model cannot take, or a tokenizer without a
                mask or without a token that ends a document.
        """
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        masked = mlm_probability is not None
        whole = Encoder.load(directory)
        length = max_length or min(USUAL[masked], whole.max_length)
        encoder = Encoder.load(directory, max_length=length, normalize=normalize)
        tokenizer = files.read_tokenizer(directory)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        config = files.read_tokenizer_config(directory)
        before, after = _around(tokenizer)
        masking, ends = None, tuple[int, ...]()
        if mlm_probability is not None:
            masking = _masking(tokenizer, str(config.get("mask_token", MASKS[0])), mlm_probability, directory)
        else:
            after, ends = _ends(tokenizer, config.get("eos_token"), directory)
            before = before or after
        return cls((encoder, whole), tokenizer, Frame(before, after), masking=masking, whole_words=whole_words,
                   room=max(length - new_tokens, length // 2), ends=ends)

    def packed(self, texts: Sequence[str], *, together: bool = True) -> Ragged:
        """Lay N documents out to be learned from.

        Args:
            texts: N documents.
            together: one after the other, so that blocks are full; else each in blocks of its own.

        Returns:
            Blocks; ``sequence`` holds the word of each token, ``SPECIAL`` at those that stand around and between.
        """
        read = self._read(texts)
        return self._blocks([list(read)] if together else [[one] for one in read], ended=True)

    def encode_ragged(self, texts: Sequence[TextInput], *, offsets: bool = False) -> Ragged:  # noqa: ARG002 - as Encoder's
        """Encode N texts: a ``Document`` as blocks of its own, others as what is filled in or gone on with.

        Where one row is a ``Document``, all are taken for such, and ``owners`` tells whose each block is.

        Raises:
            DataError: a text that is to be filled in has no mask in the tokens that are read; the message names it.
        """
        if any(isinstance(text, Document) for text in texts):
            parts = [self._blocks([[one]], ended=False) for one in self._read([str(text) for text in texts])]
            ragged = _joined(parts)
        elif self.masking is not None:
            ragged = self._with_masks([str(text) for text in texts])
        else:
            ragged = self._prompts([str(text) for text in texts])
        return ragged

    def _with_masks(self, texts: Sequence[str]) -> Ragged:
        """Return what is filled in: of a text that is too long the first tokens, which must hold a mask."""
        assert self.masking is not None  # noqa: S101 - nobody else asks
        ragged = self._encoder.encode_ragged([self.with_own_mask(text) for text in texts])
        for row, ids in enumerate(ragged.ids):
            if self.masking.mask not in ids:
                raise DataError(f"no mask stands in the first {self.max_length} tokens, which are all that is read",
                                "put [MASK] where a word is wanted, and shorten the text before it", row=row)
        return ragged

    def with_own_mask(self, text: str) -> str:
        """Return a text with masks as this tokenizer writes them."""
        assert self.masking is not None  # noqa: S101 - nobody else asks
        own = self._tokenizer.id_to_token(self.masking.mask)
        for mask in MASKS:
            text = text.replace(mask, own)
        return text

    def hidden(self, ragged: Ragged) -> tuple[Ragged, list[Int64]]:
        """Return blocks of documents with tokens hidden as they themselves decide, and what stood there, (T,) each."""
        assert self.masking is not None  # noqa: S101 - nobody else asks
        assert ragged.sequence is not None  # noqa: S101 - blocks have it
        found = [self.masking.fixed(np.asarray(ids, np.int64), words)
                 for ids, words in zip(ragged.ids, ragged.sequence, strict=True)]
        given = replace(ragged, ids=[one.ids.tolist() for one in found])
        return given, [one.wanted for one in found]

    def asked(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of N documents whose likelihood is asked: hidden ones, or all that follow another."""
        ragged = self.encode_ragged([Document(text) for text in texts])
        assert ragged.owners is not None  # noqa: S101 - those of documents
        found: list[list[int]] = [[] for _ in texts]
        wanted = self.hidden(ragged)[1] if self.masking else [np.asarray(ids[1:], np.int64) for ids in ragged.ids]
        for owner, row in zip(ragged.owners.tolist(), wanted, strict=True):
            found[owner].extend(row[row >= 0].tolist())
        return found

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return all tokens of N documents, without special ones."""
        return [ids for ids, _ in self._read(texts)]

    def collate(self, ragged: Ragged, indices: Sequence[int] | Int64) -> Batch:
        """Pad B chosen rows on the right to the longest of them: ``ids (B, T) int64``, ``mask (B, T) bool``."""
        return self._encoder.collate(ragged, indices)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, without special tokens."""
        return self._encoder.text_of(ids)

    def spelt(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, but those around the text, masks among them."""
        bare, before, after = list(ids), list(self.frame.before), list(self.frame.after)
        if before and bare[: len(before)] == before:
            bare = bare[len(before) :]
        if after and bare[-len(after) :] == after:
            bare = bare[: -len(after)]
        text: str = self._tokenizer.decode(bare, skip_special_tokens=False)
        return text

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files, with the length that the model has places for: blocks are shorter by choice."""
        self._whole.save(directory)

    def _read(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Int64]]:
        """Yield the tokens of each document, and the word of each."""
        form = self.normalize
        for start in range(0, len(texts), _WINDOW):
            given = [_offsets.valid(normalize(text, form)) for text in texts[start : start + _WINDOW]]
            encodings = self._tokenizer.encode_batch(given, add_special_tokens=False)
            for text, encoding in zip(given, encodings, strict=True):
                yield encoding.ids, (_words(text, encoding) if self._whole_words else
                                     np.arange(len(encoding.ids), dtype=np.int64))

    def _blocks(self, streams: Sequence[Sequence[tuple[list[int], Int64]]], *, ended: bool) -> Ragged:
        """Lay streams of documents out, each in blocks of its own; ``ended`` as ``_followed`` takes it."""
        ids, words = list[list[int]](), list[Int64]()
        for documents in streams:
            laid = self._framed(documents) if self.masking is not None else self._followed(documents, ended=ended)
            for block, of_words in laid:
                ids.append(block)
                words.append(of_words)
        return Ragged(ids, None, np.zeros(len(ids), np.bool_), sequence=words)

    def _framed(self, documents: Sequence[tuple[list[int], Int64]]) -> Iterator[tuple[list[int], Int64]]:
        """Yield blocks that begin and end as a text does, with the end of a text between two documents."""
        before, after = self.frame.before, self.frame.after
        flat, words = _strung(documents, (), after)
        room = self.max_length - len(before) - len(after)
        around = [np.full(len(part), SPECIAL) for part in (before, after)]
        for start in range(0, max(len(flat), 1), room):
            yield ([*before, *flat[start : start + room], *after],
                   np.concatenate([around[0], words[start : start + room], around[1]]))

    def _followed(self, documents: Sequence[tuple[list[int], Int64]], *, ended: bool,
                  ) -> Iterator[tuple[list[int], Int64]]:
        """Yield blocks that begin with the last token of the one before them, so that each token follows one.

        Args:
            documents: their tokens and words.
            ended: whether the end of the last document stands there, too: it is learned, and not scored.
        """
        own = () if self.frame.before == self.frame.after else self.frame.after
        flat, words = _strung(documents, self.frame.before, own)
        if ended:
            flat, words = [*flat, *self.frame.after], np.append(words, [SPECIAL] * len(self.frame.after))
        for start in range(0, max(len(flat) - 1, 1), self.max_length - 1):
            yield flat[start : start + self.max_length], words[start : start + self.max_length]

    def _prompts(self, texts: Sequence[str]) -> Ragged:
        """Return what is gone on with: of a text that is too long the last tokens."""
        before, room = list(self.frame.before), self.room
        rows = [ids for ids, _ in self._read(texts)]
        cut = np.array([len(ids) + len(before) > room for ids in rows], np.bool_)
        kept = [ids[len(ids) + len(before) - room :] if lost else ids for ids, lost in zip(rows, cut, strict=True)]
        return Ragged([[*before, *ids] for ids in kept], None, cut)

    @property
    def room(self) -> int:
        """Return the most tokens of a text that is gone on with: what is written must fit behind it."""
        return self._room


def _strung(documents: Sequence[tuple[list[int], Int64]], before: Sequence[int], between: Sequence[int],
            ) -> tuple[list[int], Int64]:
    """Return documents one after the other, each with ``before`` before it and ``between`` between two; their words."""
    flat, words, first = list[int](), list[Int64](), 0
    for number, (ids, own) in enumerate(documents):
        lead = [*(between if number else ()), *before]
        flat += [*lead, *ids]
        words += [np.full(len(lead), SPECIAL), own + first]
        first += int(own.max(initial=-1)) + 1
    return flat, np.concatenate([*words, np.empty(0, np.int64)]).astype(np.int64)


def _joined(parts: Sequence[Ragged]) -> Ragged:
    """Return the blocks of each document, one document after the other."""
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return Ragged([ids for part in parts for ids in part.ids], None, np.zeros(len(owners), np.bool_),
                  sequence=[words for part in parts for words in part.sequence or ()], owners=owners)


def _words(text: str, encoding: Encoding) -> Int64:
    """Return the number of each token's word: of that in which its last character stands, or one of its own."""
    word_of = np.full(len(text) + 1, SPECIAL)
    found = units(text)
    for number, (start, end) in enumerate(found):
        word_of[start:end] = number
    last = np.array([end - 1 if end > start else len(text) for start, end in encoding.offsets], np.int64)
    words = word_of[last]
    alone = words == SPECIAL
    words[alone] = len(found) + np.arange(int(alone.sum()))
    return words


def _around(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that the tokenizer puts before and behind a text."""
    encoding = tokenizer.encode("a")
    special = [bool(mark) for mark in encoding.special_tokens_mask]
    if all(special):
        return (), ()
    first, last = special.index(False), len(special) - special[::-1].index(False)
    return tuple(encoding.ids[:first]), tuple(encoding.ids[last:])


def _masking(tokenizer: Tokenizer, named: str, probability: float, directory: Path) -> Masking:
    mask = next((found for name in (named, *MASKS) if (found := tokenizer.token_to_id(name)) is not None), None)
    if mask is None:
        raise ModelError(f"the tokenizer in {directory} has no mask token, which hides what shall be told",
                         "take an encoder: minilm-l6, e5-small, or one from a hub, such as bert-base-cased; or take "
                         "the task causal-language-modelling, if it is a decoder")
    special = [number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    others = np.setdiff1d(np.arange(tokenizer.get_vocab_size(with_added_tokens=True)), special)
    return Masking(probability, mask, others.astype(np.int64), tuple(special))


def _ends(tokenizer: Tokenizer, named: object, directory: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what ends a document, and all that ends what is written."""
    found = [tokenizer.token_to_id(str(name)) for name in (_END, named) if name is not None]
    ends = tuple(dict.fromkeys(number for number in found if number is not None))
    if not ends:
        raise ModelError(f"the tokenizer in {directory} has no token that ends a document",
                         "name one in its tokenizer_config.json: eos_token")
    return ends[:1], ends
