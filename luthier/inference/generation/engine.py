"""One call for every way of decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from luthier.inference.generation.values import Generated, Marks
from luthier.recipe import Decoding
from luthier.schema import Batch

if TYPE_CHECKING:
    import torch


def generate(
    model: torch.nn.Module,
    batch: Batch,
    decoding: Decoding,
    marks: Marks,
    *,
    text_of: Callable[[Sequence[int]], str],
    rows: Sequence[int],
) -> list[Generated]:
    """Write a text for each row of a batch.

    Args:
        model: a transformers model with a language modelling head, of an encoder and a decoder or of a decoder alone,
            in evaluation mode.
        batch: B texts, padded on the right as ever; models of a decoder alone get them padded on the left.
        decoding: how tokens are chosen.
        marks: the model's tokens that are no words.
        text_of: turns tokens into text, without special tokens.
        rows: B numbers that, with the seed, decide the draws of each row: the same row draws the same in any batch.

    Returns:
        B results in the order of the batch.
    """
    raise NotImplementedError
