"""How much of what this processor, or its GPU, can multiply a side uses."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from luthier.models.sources import resolve
from luthier.schema import Int64

REPEATS = 20


@dataclass(frozen=True, slots=True)
class Share:
    """What one side achieved."""

    side: str
    flops_per_second: float


def forward_flops(model: str, lengths: Int64) -> float:
    """Return the floating-point operations of one forward pass over texts of these lengths, a product being two.

    Matrix products only: 4 D^2 + 2 D F for the layers' weights and 2 T D for attention, of each token and layer.
    A backward pass takes twice as many.
    """
    config = json.loads((resolve(model).path / "config.json").read_text(encoding="utf-8"))
    width, inner, layers = (int(config[name]) for name in ("hidden_size", "intermediate_size",
                                                                  "num_hidden_layers"))
    weights = 2 * float(lengths.sum()) * (4 * width**2 + 2 * width * inner)
    attention = 4 * float((lengths.astype(float) ** 2).sum()) * width
    return layers * (weights + attention)


def measure_shapes(model: str, tokens: int, shares: Sequence[Share]) -> Iterator[str]:
    """Measure the layers' own matrix products in fp32 and bf16, and say which share of bf16 each side reached.

    Args:
        model: whose widths are used.
        tokens: rows of the left matrices: the tokens of a batch.
        shares: what the sides achieved.
    """
    peaks = {name: _peak(model, tokens, name) for name in ("float32", "bfloat16")}
    yield "matrix products of these shapes reach " + ", ".join(
        f"{peak / 1e9:,.0f} GFLOP/s in {name}" for name, peak in peaks.items())
    for share in shares:
        yield (f"{share.side:18} {share.flops_per_second / 1e9:8,.0f} GFLOP/s, "
               f"{100 * share.flops_per_second / peaks['bfloat16']:.0f} % of bf16")


def _peak(model: str, tokens: int, dtype: str) -> float:
    """Return the FLOP/s of the forward products of one layer, each at its median."""
    import torch

    config = json.loads((resolve(model).path / "config.json").read_text(encoding="utf-8"))
    width, inner = config["hidden_size"], config["intermediate_size"]
    operations = seconds = 0.0
    device, each = ("cuda", 100) if torch.cuda.is_available() else ("cpu", 1)  # one launch costs more than a product
    for rows, columns, times in ((width, width, 4), (width, inner, 1), (inner, width, 1)):
        left = torch.randn(tokens, rows, device=device).to(getattr(torch, dtype))
        right = torch.randn(columns, rows, device=device).to(left.dtype)
        taken = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            for _ in range(each):
                torch.nn.functional.linear(left, right)
            if device == "cuda":
                torch.cuda.synchronize()
            taken.append((time.perf_counter() - began) / each)
        operations += times * 2 * tokens * rows * columns
        seconds += times * statistics.median(taken)
    return operations / seconds
