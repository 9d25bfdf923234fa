"""Keys and values with room behind them, so that a token is added without copying all that stand before it.

``DynamicCache`` of transformers makes new tensors for each token, a third of the time of a small model's step, and
again to put beams in another order, though what they have in common stays where it is.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

_ROOM = 64
"""Places added when there are none left; or a quarter of those there, if that is more."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped
    """A layer of a cache whose ``keys`` and ``values``, (R, H, T, D / H), are the front of larger tensors."""

    keys: torch.Tensor
    values: torch.Tensor
    _wide: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(cls, layer: Any) -> RoomyLayer:
        """Return the layer with room."""
        made = cls()
        made.lazy_initialization(layer.keys, layer.values)
        made._show((layer.keys, layer.values), layer.keys.shape[2])
        return made

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any,
               ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values of new tokens, (R, heads, T, D) each, behind those there, and return all."""
        start, added = self.keys.shape[2], key_states.shape[2]
        if start + added > self._wide[0].shape[2]:
            room = added + max(_ROOM, start // 4)
            self._wide = _with_room(self.keys, room), _with_room(self.values, room)
        for wide, new in zip(self._wide, (key_states, value_states), strict=True):
            wide[:, :, start:start + added] = new
        self._show(self._wide, start + added)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Take the rows ``beam_idx``, (R,) int64, each any number of times and in any order, with their room."""
        keys, values = self._wide
        self._show((keys.index_select(0, beam_idx), values.index_select(0, beam_idx)), self.keys.shape[2])

    def exchange(self, changed: torch.Tensor, origins: torch.Tensor, shared: int) -> None:
        """Give the rows ``changed``, (M,) int64, what the rows ``origins``, (M,) int64, hold.

        The first ``shared`` tokens are left alone: they hold these already.
        """
        for part in (self.keys, self.values):
            part[changed, :, shared:] = part[origins, :, shared:]

    def _show(self, wide: tuple[torch.Tensor, torch.Tensor], count: int) -> None:
        self._wide = wide
        self.keys, self.values = (part[:, :, :count] for part in wide)


def give_room(cache: Any) -> Any:
    """Return a cache that holds what was read, with room in those of its layers that would copy themselves."""
    own = _own(cache)
    own.layers = [RoomyLayer.of(layer) if type(layer) is DynamicLayer else layer for layer in own.layers]
    return cache


def exchange(cache: Any, origins: torch.Tensor, shared: int) -> None:
    """Put the rows of a cache in another order, each text's among themselves.

    Args:
        cache: of R rows.
        origins: (R,) int64, which row each becomes.
        shared: tokens that all rows of one text begin with.
    """
    changed = (origins != torch.arange(len(origins), device=origins.device)).nonzero()[:, 0]
    for layer in _own(cache).layers if len(changed) else ():
        if isinstance(layer, RoomyLayer):
            layer.exchange(changed, origins[changed], shared)
        else:
            layer.reorder_cache(origins)


def _own(cache: Any) -> Any:
    """Return what a decoder keeps of its own tokens."""
    return getattr(cache, "self_attention_cache", cache)


def _with_room(values: torch.Tensor, room: int) -> torch.Tensor:
    wide = values.new_empty((*values.shape[:2], values.shape[2] + room, values.shape[3]))
    wide[:, :, :values.shape[2]] = values
    return wide
