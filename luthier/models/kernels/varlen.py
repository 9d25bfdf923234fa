"""Attention over packed rows: all rows of a batch in one, each token seeing its own row alone."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, cast

import torch

WIDEST = 256
"""Width of a head that fused attention takes at most."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows of a packed batch stand."""

    starts: torch.Tensor
    """(B + 1,) int32: row b holds tokens ``starts[b]`` to ``starts[b + 1]``."""
    longest: int

    def firsts(self) -> Rows:
        """Return the rows' first tokens, each a row of its own."""
        return Rows(torch.arange(len(self.starts), dtype=torch.int32, device=self.starts.device), 1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which tokens of its row a token sees, and how their scores are scaled."""

    causal: bool = False
    """Itself and those before it alone."""
    window: int | None = None
    """How many of these at most, itself among them; all when left out. Causal patterns alone have one."""
    scale: float | None = None
    """Of the scores; one over the square root of E when left out."""


EVERY = Pattern()


def missing(width: int, *, windowed: bool = False) -> str | None:
    """Return why heads of this width cannot attend to packed rows here; ``None`` when they can."""
    if width % 8 or width > WIDEST:
        return f"attention over packed rows takes heads of a multiple of 8 up to {WIDEST}, these have {width}"
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return f"torch {torch.__version__} has no attention over packed rows; 2.10 has"
    if windowed and "window_size" not in inspect.signature(varlen_attn).parameters:
        return f"torch {torch.__version__} has no windows over packed rows; 2.11 has"
    return None


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: Rows, keys: Rows,
           pattern: Pattern = EVERY) -> torch.Tensor:
    """Mix values row by row.

    Args:
        query: (Q, H, E).
        key: (N, G, E), where G divides H: heads in a row share one of these.
        value: (N, G, E).
        queries: where the rows of ``query`` stand.
        keys: where those of ``key`` and ``value`` stand, as many.
        pattern: what a token sees. A causal one needs as many queries as keys in each row.

    Returns:
        (Q, H, E).
    """
    if query.device.type == "cpu":
        return attend_by_row(query, key, value, queries, keys, pattern)
    from torch.nn.attention.varlen import varlen_attn

    query, key, value, arguments = in_words_of(varlen_attn, query, key, value, pattern)
    found = varlen_attn(query, key, value, queries.starts, keys.starts, queries.longest, keys.longest, **arguments)
    return cast(torch.Tensor, found)  # a pair only where more is asked for


def in_words_of(
    function: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, pattern: Pattern,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Return what this torch's ``varlen_attn`` is called with: 2.10 has a flag, 2.11 windows, 2.12 shared heads."""
    known = inspect.signature(function).parameters
    arguments: dict[str, Any] = {}
    if pattern.causal and "window_size" in known:
        arguments["window_size"] = (-1 if pattern.window is None else pattern.window - 1, 0)
    elif pattern.causal:
        arguments["is_causal"] = True
    shared = query.shape[1] // key.shape[1]
    if shared > 1 and "enable_gqa" in known:
        arguments["enable_gqa"] = True
    elif shared > 1:
        key, value = (part.repeat_interleave(shared, 1) for part in (key, value))
    if pattern.scale is not None and "scale" in known:
        arguments["scale"] = pattern.scale
    elif pattern.scale is not None:
        query = query * (pattern.scale * query.shape[-1] ** 0.5)
    return query, key, value, arguments


def attend_by_row(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, queries: Rows, keys: Rows,
                  pattern: Pattern = EVERY) -> torch.Tensor:
    """Do the same one row after the other: what the fused one is compared with, and what runs on a CPU."""
    from torch.nn.functional import scaled_dot_product_attention

    asked, told = (torch.diff(rows.starts).tolist() for rows in (queries, keys))
    by_head = (torch.split(part.transpose(0, 1), sizes, 1)  # (H or G, Q or N, E), cut into rows
               for part, sizes in ((query, asked), (key, told), (value, told)))
    shared = key.shape[1] != query.shape[1]
    return torch.cat([
        scaled_dot_product_attention(q, k, v, attn_mask=_seen(q.shape[1], pattern), scale=pattern.scale,
                                     enable_gqa=shared)
        for q, k, v in zip(*by_head, strict=True)], 1).transpose(0, 1)


def _seen(tokens: int, pattern: Pattern) -> torch.Tensor | None:
    """Return (T, T) bool, what each token of a row sees; ``None`` for all."""
    if not pattern.causal:
        return None
    back = torch.arange(tokens)[:, None] - torch.arange(tokens)  # how far the key stands before the query
    return (back >= 0) & (back < (tokens if pattern.window is None else pattern.window))
