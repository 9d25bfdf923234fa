"""What frozen layers give, computed once for each text and kept on disk for the epochs and runs to come.

The name of a file is a hash of the frozen weights, what they compute in, and the token ids: another learning rate,
seed or number of epochs finds it again. Texts whose states would not fit the limit are computed at each step, in other
batches: bf16 then rounds some numbers otherwise.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from luthier.models.architecture import config_of, every_token
from luthier.models.files import cache_directory
from luthier.models.kept import keep, sealed, used
from luthier.models.threads import in_threads
from luthier.schema import Batch, Decision, Int64
from luthier.tuning.batching import by_length

if TYPE_CHECKING:
    import torch

    from luthier.models.encoding import Encoder, Ragged
    from luthier.models.forward import Forward

LIMIT = 4 << 30
"""Bytes of all kept files, and of one."""
SPARE = 0.5
"""Share of the free disk that a file takes at most."""
MAX_TOKENS = 2048
"""Of a batch that one worker computes: its activations stay in the cache."""
VERSION = 2
"""Of the files."""


@dataclass(frozen=True, slots=True)
class FrozenLayers:
    """The layers below those that train."""

    forward: Forward
    encoder: Encoder
    only_first: bool
    """Whether no layer stands above them: a head reads first tokens alone."""
    workers: int
    digest: str
    """Hash of the weights and of what is computed."""

    def states(self, batches: Sequence[Batch]) -> list[npt.NDArray[Any]]:
        """Return the states of each batch's real tokens, row after row: (N, D), or (B, D) of first ones.

        float32, or uint16 that holds the bits of bfloat16.
        """
        import torch

        def compute(batch: Batch) -> npt.NDArray[Any]:
            torch.set_num_threads(1)  # of this thread: each worker has a batch of its own
            found = self.forward.states(batch, only_first=self.only_first)
            return (found.view(torch.uint16) if found.dtype == torch.bfloat16 else found).numpy()

        before = torch.get_num_threads()
        try:
            return in_threads(compute, batches, self.workers)
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class _Split:
    """The kept states of one split."""

    values: npt.NDArray[Any]
    """Rows of states, in the order in which they were computed; a memory map."""
    starts: Int64
    """(N,) where each text's states begin."""


@dataclass(frozen=True, slots=True)
class FrozenFeed:
    """Gives the layers that train what the frozen ones give for a text."""

    layers: FrozenLayers
    kept: Mapping[int, _Split]
    """``id`` of a split's token ids -> its states, where they are kept."""
    decision: Decision
    """Whether all are."""

    @classmethod
    def open(cls, layers: FrozenLayers, splits: Sequence[Ragged]) -> FrozenFeed:
        """Compute the states that are not kept yet and can be."""
        kept: dict[int, _Split] = {}
        reasons = []
        for ragged in splits:
            found = _kept(layers, ragged, LIMIT - sum(split.values.nbytes for split in kept.values()))
            if isinstance(found, _Split):
                kept[id(ragged)] = found
            else:
                reasons.append(found)
        if reasons:
            return cls(layers, kept, Decision("computed at each step", "; ".join(dict.fromkeys(reasons))))
        return cls(layers, kept, Decision("computed once", f"what they give is kept in {_place()}"))

    def inputs(self, ragged: Ragged, rows: Int64) -> dict[str, torch.Tensor | int]:
        """Return the model's arguments for rows of a split: states (B, T, D) and mask (B, T)."""
        import torch

        alone = self.layers.only_first
        lengths = np.fromiter((1 if alone else len(ragged.ids[row]) for row in rows), np.int64, len(rows))
        split = self.kept.get(id(ragged))
        if split is not None:
            places = np.repeat(split.starts[rows] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
            found = torch.from_numpy(split.values[places])
        else:
            parts = np.array_split(rows, min(self.layers.workers, len(rows)))
            found = torch.from_numpy(np.concatenate(
                self.layers.states([self.layers.encoder.collate(ragged, part) for part in parts])))
        if found.dtype == torch.uint16:
            found = found.view(torch.bfloat16)
        mask = np.arange(lengths.max()) < lengths[:, None]  # (B, T)
        states = found.new_zeros(mask.size, found.shape[1])
        states[torch.from_numpy(np.flatnonzero(mask))] = found
        return {"inputs_embeds": states.view(*mask.shape, -1),
                "attention_mask": torch.from_numpy(mask.astype(np.int64))}


def frozen_layers_of(model: Any, count: int, precision: str, encoder: Encoder, workers: int) -> FrozenLayers:
    """Return the first ``count`` layers of a model, which do not train."""
    from luthier.models.freezing import layers_of
    from luthier.models.kernels.frozen import forward_of

    only_first = count == len(layers_of(model)) and not every_token(config_of(model))
    told = hashlib.sha256(repr((
        VERSION, version("torch"), count, only_first, precision, encoder.pad_id, _shape(model.config))).encode())
    for name, weight in sorted(model.named_parameters()):
        if not weight.requires_grad:
            told.update(name.encode())
            told.update(weight.detach().contiguous().numpy())
    return FrozenLayers(forward_of(model, count, precision), encoder, only_first, workers, told.hexdigest())


def _shape(config: Any) -> list[Any]:
    names = ("model_type", "num_attention_heads", "layer_norm_eps", "hidden_act", "pad_token_id")
    return [getattr(config, name, None) for name in names]


def _kept(layers: FrozenLayers, ragged: Ragged, room: int) -> _Split | str:
    """Return the states of a split, from the disk if they are there; or why they do not stand in ``room`` bytes."""
    batches = by_length(ragged.lengths, max_tokens=MAX_TOKENS)
    order = np.concatenate(batches)
    sizes = np.ones(len(ragged), np.int64) if layers.only_first else ragged.lengths
    starts = np.empty(len(ragged), np.int64)
    starts[order] = np.cumsum(sizes[order]) - sizes[order]
    kind = layers.forward.layers[0].output.bias
    shape = (int(sizes.sum()), len(kind))
    place = _place() / f"{_key(layers, ragged)}.npy"
    found = _read(place, shape)
    if found is None:
        why = _too_large(place.parent, shape[0] * shape[1] * kind.element_size(), room)
        why = why or keep(place, lambda file: _write(file, layers, ragged, batches, shape), LIMIT)
        if why is not None:
            return why
        found = _read(place, shape)
    return "the file was deleted at once" if found is None else _Split(found, starts)


def _key(layers: FrozenLayers, ragged: Ragged) -> str:
    told = hashlib.sha256(layers.digest.encode())
    for table in (ragged.ids, ragged.type_ids or []):
        told.update(np.fromiter((number for row in table for number in row), np.int32).tobytes())
        told.update(ragged.lengths.tobytes())
    return told.hexdigest()


def _read(place: Path, shape: tuple[int, int]) -> npt.NDArray[Any] | None:
    """Return what a file holds; ``None`` without one, and when it is damaged: states are computed again then."""
    if not sealed(place):
        return None
    try:
        found: npt.NDArray[Any] = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if found.shape != shape:
        return None
    used(place)
    return found


def _too_large(place: Path, size: int, room: int) -> str | None:
    if size > room:
        return f"{_mib(size)} are more than is left of the {_mib(LIMIT)} that are kept"
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if size > SPARE * free:
        return f"{_mib(size)} are more than half of the {_mib(free)} free in {there}"
    return None


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _write(file: BinaryIO, layers: FrozenLayers, ragged: Ragged, batches: Sequence[Int64],
           shape: tuple[int, int]) -> None:
    """Compute the states of all texts, a few batches at a time, and write them one after the other."""
    told = hashlib.sha256()

    def put(part: bytes) -> None:
        told.update(part)
        file.write(part)

    begun = False
    for several in _some(batches, 4 * layers.workers):
        for states in layers.states([layers.encoder.collate(ragged, rows) for rows in several]):
            if not begun:
                header = {"descr": np.lib.format.dtype_to_descr(states.dtype), "fortran_order": False, "shape": shape}
                head = BytesIO()
                np.lib.format.write_array_header_2_0(head, header)
                put(head.getvalue())
                begun = True
            put(states.tobytes())
    file.write(told.digest())


def _some(batches: Sequence[Int64], count: int) -> Iterator[Sequence[Int64]]:
    return (batches[start : start + count] for start in range(0, len(batches), count))


def _place() -> Path:
    return cache_directory() / "frozen"
