"""Batches on their way into the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from luthier.schema import Batch, Int64

if TYPE_CHECKING:
    import torch

    from luthier.models.kernels.packed import Arguments


@dataclass(frozen=True, slots=True)
class Feed:
    """How batches of a run become what the model is called with."""

    device: str
    renumber: Callable[[Int64], Int64]
    """From token ids to rows of the word table in use, (B, T) -> (B, T)."""
    arrange: Callable[[Batch], Arguments]
    """From (B, T) arrays to the model's arguments, padded or packed."""

    def inputs(self, batch: Batch) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for a batch, on the device."""
        arranged = self.arrange(replace(batch, ids=self.renumber(batch.ids)))
        return {name: value if isinstance(value, int) else self.send(value) for name, value in arranged.items()}

    def send(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """Copy an array to the device without waiting for what the device has yet to do."""
        import torch

        tensor = torch.from_numpy(array)
        if self.device.partition(":")[0] == "cuda":  # from other memory the copy would wait
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)
