"""Which rows share a step: texts of similar length together, in an order that depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from luthier.schema import Int64

MEGA_BATCHES = 50
"""Batches whose rows are sorted together at most; transformers' ``group_by_length`` uses the same number."""

Step = list[Int64]
"""The micro-batches of one optimiser step; each is an array of row numbers, (B,) int64."""


def plan(
    lengths: npt.ArrayLike,
    *,
    batch_size: int,
    accumulation: int = 1,
    max_tokens: int | None = 8192,
    seed: int = 0,
    epoch: int = 0,
) -> list[Step]:
    """Deal every row exactly once into the optimiser steps of one epoch.

    Rows are permuted, sorted from long to short within mega-batches and cut into batches, which stay in that order: as
    transformers' ``group_by_length`` does it. With the batches shuffled, tuned models scored lower (docs/log.md). A
    batch whose padded size is over ``max_tokens`` is cut further, into micro-batches of the same step.

    Args:
        lengths: (N,) tokens of each row.
        batch_size: rows of a batch.
        accumulation: batches of a step.
        max_tokens: B x T of a micro-batch at most; a single longer row stands alone. ``None``: batches stay whole.
        seed: of the run.
        epoch: from 0.

    Returns:
        Steps; ``sum(len(micro) for micro in step)`` is the rows of one.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    random = np.random.default_rng((seed, epoch))
    batches = _batches(sizes, batch_size, random)
    groups = [batches[start : start + accumulation] for start in range(0, len(batches), accumulation)]
    return [[micro for batch in group for micro in _within(batch, sizes, max_tokens)] for group in groups]


def steps_per_epoch(rows: int, *, batch_size: int, accumulation: int) -> int:
    """Return how many optimiser steps ``plan`` makes of that many rows."""
    batches = -(-rows // batch_size)
    return -(-batches // accumulation)


def by_length(lengths: npt.ArrayLike, *, max_tokens: int, max_rows: int = 256) -> list[Int64]:
    """Cut all rows into batches for a forward pass only: longest first, at most ``max_tokens`` padded tokens each.

    Longest first, so that the largest memory need shows at once.

    Args:
        lengths: (N,) whole numbers, tokens of each row.
        max_tokens: of a batch, padding included.
        max_rows: of a batch.

    Returns:
        Arrays (B,) int64 of numbers of rows, which hold each once.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    return [micro for start in range(0, len(order), max_rows)
            for micro in _within(order[start : start + max_rows], sizes, max_tokens)]


def _batches(sizes: Int64, batch_size: int, random: np.random.Generator) -> list[Int64]:
    order = random.permutation(len(sizes))
    # Few batches: sort within quarters of the data only, or each epoch would see the very same batches.
    mega = batch_size * min(MEGA_BATCHES, max(1, len(sizes) // batch_size // 4))
    chunks = [order[start : start + mega] for start in range(0, len(order), mega)]
    ranked = np.concatenate([chunk[np.argsort(-sizes[chunk], kind="stable")] for chunk in chunks]) if chunks else order
    return [ranked[start : start + batch_size] for start in range(0, len(ranked), batch_size)]


def _within(batch: Int64, sizes: Int64, max_tokens: int | None) -> Iterator[Int64]:
    """Cut a batch, sorted from long to short, into parts of at most ``max_tokens`` padded tokens."""
    if max_tokens is None:
        yield batch
        return
    start = 0
    while start < len(batch):
        rows = max(1, int(max_tokens // max(1, sizes[batch[start]])))
        yield batch[start : start + rows]
        start += rows
