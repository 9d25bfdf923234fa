"""What language models are asked: how likely documents are, and what may stand at masks."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from luthier.errors import DataError, ModelError
from luthier.inference.batching import plan
from luthier.schema import MASKS, Batch, Bool, Document, Fill, Float32, Int64, Likelihood, TextInput

if TYPE_CHECKING:
    from luthier.inference.backend import Backend
    from luthier.models.blocks import BlockEncoder
    from luthier.models.encoding import Ragged

LOGITS = 1 << 25
"""Most logits computed at once: 128 MiB in float32, of which a few copies stand in the memory."""

TokenLogprobs = tuple[Float32, Bool]
"""Of the tokens of a document that are asked for: log probabilities (M,), natural; which were the likeliest, (M,)."""


class TellsTokens(Protocol):
    """A backend that tells how likely tokens are at some places of a batch."""

    @property
    def max_tokens(self) -> int:
        """Return the padded tokens of the largest batch that is worth computing at once."""
        ...

    @property
    def vocabulary(self) -> int:
        """Return V, the number of different tokens."""
        ...

    def logprobs_at(self, batch: Batch, wanted: Bool) -> Float32:
        """Return log probabilities of all tokens at M places of an encoder, (M, V) float32, row after row.

        Args:
            batch: B rows.
            wanted: (B, T) bool, the places.
        """
        ...

    def next_token_logprobs(self, batch: Batch, targets: Int64) -> tuple[Float32, Bool]:
        """Return of a decoder the log probability of what stands behind each token, and whether it was the likeliest.

        Args:
            batch: B rows.
            targets: (B, T) int64, what stands there; below 0 where nothing is asked.

        Returns:
            (B, T) float32 and (B, T) bool, meaning nothing where nothing is asked.
        """
        ...


def fills(task: ModuleType) -> bool:
    """Return whether a task's answers stand at masks."""
    return bool(getattr(task, "FILLS", False))


def is_of_documents(ragged: Ragged, rows: Sequence[TextInput]) -> bool:
    """Return whether rows were encoded to be weighed, and not to be filled in or gone on with."""
    return ragged.owners is not None and any(isinstance(row, Document) for row in rows)


def check_fills(backend: str, module: ModuleType) -> None:
    """Refuse a backend that does not tell tokens.

    Raises:
        ModelError: names one that does.
    """
    if not getattr(module, "GENERATES", False):
        raise ModelError(f"the backend {backend} gives one answer for a text, and this bundle tells hidden tokens",
                         "use --backend torch, or leave it out")


def check_masks(rows: Sequence[TextInput], first: int = 0) -> None:
    """Refuse texts without a mask; documents need none.

    Args:
        rows: N texts.
        first: number of the first, for messages of a stream.

    Raises:
        DataError: names the row.
    """
    for number, row in enumerate(rows, first):
        if not isinstance(row, Document) and not any(mask in str(row) for mask in MASKS):
            raise DataError("the text holds no mask, so there is nothing to fill in",
                            f"put {' or '.join(MASKS)} where a word is wanted", row=number)


def likelihoods(backend: Backend, encoder: BlockEncoder, ragged: Ragged) -> list[Likelihood]:
    """Return how likely each of N documents is, from their blocks."""
    return [Likelihood(float(logs.astype(np.float64).sum()), len(logs), int(right.sum()))
            for logs, right in weigh(backend, encoder, ragged)]


def weigh(backend: Backend, encoder: BlockEncoder, ragged: Ragged) -> list[TokenLogprobs]:
    """Return how likely each token is that is asked for in N documents, document by document.

    Of an encoder these are hidden tokens, the same ones each time; of a decoder all tokens.

    Args:
        backend: tells tokens.
        encoder: of the model.
        ragged: blocks of the documents, as ``encoder.encode_ragged`` gives them.
    """
    assert ragged.owners is not None  # noqa: S101 - those of documents
    if encoder.masking is not None:
        given, wanted = encoder.hidden(ragged)
    else:
        given, wanted = ragged, [np.array([*ids[1:], -1], np.int64) for ids in ragged.ids]
    found: dict[int, TokenLogprobs] = {}
    asked = np.array([max(1, int((row >= 0).sum())) for row in wanted], np.int64)
    for rows in _batches(cast("TellsTokens", backend), given.lengths, asked):
        found |= dict(zip(rows.tolist(), _weighed(backend, encoder, given, wanted, rows), strict=True))
    parts: list[list[TokenLogprobs]] = [[] for _ in range(int(ragged.owners.max(initial=-1)) + 1)]
    for block, owner in enumerate(ragged.owners.tolist()):
        parts[owner].append(found[block])
    return [(np.concatenate([logs for logs, _ in own]), np.concatenate([right for _, right in own])) for own in parts]


def filled(backend: Backend, encoder: BlockEncoder, ragged: Ragged, texts: Sequence[TextInput], top_k: int,
           ) -> list[list[list[Fill]]]:
    """Return for each of N texts and each of its masks the likeliest tokens."""
    assert encoder.masking is not None  # noqa: S101 - an encoder's bundle
    mask = encoder.masking.mask
    counts = np.array([ids.count(mask) for ids in ragged.ids], np.int64)
    tells = cast("TellsTokens", backend)
    found: list[list[list[Fill]]] = [[] for _ in texts]
    for rows in _batches(tells, ragged.lengths, counts):
        batch = encoder.collate(ragged, rows)
        places = np.argwhere(batch.ids == mask)
        most = _most(tells)
        for some in (places[start : start + most] for start in range(0, len(places), most)):
            wanted = np.zeros(batch.ids.shape, np.bool_)
            wanted[tuple(some.T)] = True
            for (row, place), own in zip(some.tolist(), tells.logprobs_at(batch, wanted), strict=True):
                found[rows[row]].append(_fills(encoder, ragged.ids[rows[row]], place, own, top_k))
    return found


def _weighed(backend: Backend, encoder: BlockEncoder, given: Ragged, wanted: Sequence[Int64], rows: Int64,
             ) -> list[TokenLogprobs]:
    batch = encoder.collate(given, rows)
    targets = np.full(batch.ids.shape, -1, np.int64)
    for place, row in enumerate(rows.tolist()):
        targets[place, : len(wanted[row])] = wanted[row]
    asked = targets >= 0
    if not asked.any():
        return [(np.empty(0, np.float32), np.empty(0, np.bool_)) for _ in rows]
    tells = cast("TellsTokens", backend)
    if encoder.masking is not None:
        logs, true = tells.logprobs_at(batch, asked), targets[asked]
        own, right = np.asarray(logs[np.arange(len(true)), true], np.float32), logs.argmax(axis=1) == true
    else:
        every, likeliest = tells.next_token_logprobs(batch, targets)
        own, right = every[asked], likeliest[asked]
    ends = np.cumsum(asked.sum(axis=1))[:-1]
    return list(zip(np.split(own, ends), np.split(right, ends), strict=True))


def _most(backend: TellsTokens) -> int:
    """Return the most places whose logits are computed at once."""
    return max(1, LOGITS // backend.vocabulary)


def _batches(backend: TellsTokens, lengths: Int64, asked: Int64) -> list[Int64]:
    """Return rows of batches that neither tokens nor logits make too large."""
    if not len(lengths):
        return []
    most = _most(backend)
    found: list[Int64] = []
    for rows in plan(lengths, max_tokens=backend.max_tokens):
        start, total = 0, 0
        for place, row in enumerate(rows.tolist()):
            if place > start and total + asked[row] > most:
                found.append(rows[start:place])
                start, total = place, 0
            total += int(asked[row])
        found.append(rows[start:])
    return found


def _fills(encoder: BlockEncoder, ids: Sequence[int], place: int, logs: Float32, top_k: int) -> list[Fill]:
    """Return the likeliest tokens of the mask at a place of one text; ``logs`` is (V,)."""
    likeliest = np.argsort(-logs, kind="stable")[:top_k]
    return [Fill(encoder.spelt([*ids[:place], int(token), *ids[place + 1 :]]), float(np.exp(logs[token])),
                 int(token), encoder.spelt([int(token)])) for token in likeliest]
