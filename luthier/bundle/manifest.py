"""The manifest, ``luthier.json``: everything a bundle says of itself, as one frozen value.

It is written last. A directory without it is not a bundle, so a write that died half-way can never be mistaken for one.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from typing import Any, Literal

from pydantic import TypeAdapter

from luthier import __version__
from luthier.schema import LabelSet

MANIFEST = "luthier.json"
"""The manifest's file name."""

FORMAT = 1
"""Version of the directory's layout that this code writes, and the newest that it reads."""

_RECORDED = ("numpy", "safetensors", "tokenizers", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What one file of the bundle must be."""

    sha256: str
    """Hex digest of its bytes."""
    bytes: int
    """Its size."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The task and its own settings, such as the threshold of a multi-label classifier."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LengthPolicy:
    """What happens to texts that are longer than the model reads."""

    max_length: int
    """Most tokens of one text, special ones included."""
    policy: Literal["truncate", "window"] = "truncate"
    """``truncate``: the end is cut, and each cut is flagged in the prediction; ``window``: a long text is read in
    windows, and cut only where a pair's first one does not fit beside the second."""
    overlap: int | None = None
    """Tokens that neighbouring windows share."""


@dataclass(frozen=True, slots=True)
class Base:
    """The pretrained model that was tuned."""

    name: str
    """As ``models.sources.resolve`` takes it: packaged name, hub id or directory."""
    source: str
    sha256: str
    """Of its ``model.safetensors``; an adapter bundle refuses any other base."""
    revision: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Licence:
    """One link of the licence chain."""

    what: str
    """``base model``, ``training data``, …"""
    name: str
    licence: str | None
    """SPDX name; ``None`` when it is not known."""


def installed_versions() -> dict[str, str]:
    """Return the versions that decide what a model answers: Python, the machine, and the libraries installed."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _RECORDED:
        version = _version(name)
        if version is not None:
            found[name] = version
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything ``luthier.json`` holds."""

    kind: Literal["full", "adapter"]
    """``full`` carries all weights; ``adapter`` carries a low-rank change to its base, and the head."""
    task: TaskRecord
    labels: LabelSet
    length: LengthPolicy
    normalize: Literal["nfc", "nfkc", "none"]
    """Unicode form given to every text before its ids are looked up."""
    pair: bool | None
    """Whether one row is two texts; ``None`` where it may be one or two."""
    base: Base
    data_hash: str
    """``Dataset.content_hash`` of the rows it was tuned and scored on."""
    recipe: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    """The few numbers worth showing; ``report/scores.json`` has the rest."""
    warnings: tuple[str, ...] = ()
    """What the run said against the model, such as that it has learned nothing or never gives a label."""
    licences: tuple[Licence, ...] = ()
    parent: str | None = None
    """sha256 of the manifest of the bundle that this one was compressed from, or that its tuning started from."""
    outputs: tuple[str, ...] | None = None
    """Names of the head's outputs where they are not the labels themselves: the tags of entity types."""
    thresholds: dict[str, float] | None = None
    calibration: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=installed_versions)
    luthier: str = __version__
    """Version that wrote the bundle."""
    created: str = field(default_factory=_now)
    """ISO 8601, UTC."""
    format: int = FORMAT
    files: dict[str, FileRecord] = field(default_factory=dict)
    """Path inside the bundle with ``/`` -> what must be there; filled in by ``seal``."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Return the names of the head's outputs, as ``config.json`` has them."""
        return self.labels.names if self.outputs is None else self.outputs

    @property
    def weights(self) -> str:
        """Return the name of the file that holds the tuned weights."""
        return "model.safetensors" if self.kind == "full" else "adapter_model.safetensors"

    @property
    def essential(self) -> tuple[str, ...]:
        """Return the files without which the bundle cannot be opened and proved."""
        own = () if self.kind == "full" else ("adapter_config.json",)
        return (self.weights, *own, "config.json", "tokenizer.json", "probes.jsonl")

    def to_json(self) -> str:
        """Return the text of ``luthier.json``; ``from_json`` reads it back to an equal value."""
        told = ("scale", "path_separator", "descriptions", "negative", "types")
        unused = {name for name in told if not getattr(self.labels, name)}
        return _adapter().dump_json(self, indent=2, exclude={"labels": unused}).decode("utf-8") + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> Manifest:
        """Read the text of ``luthier.json``.

        Raises:
            pydantic.ValidationError: it is not JSON, or fields are missing or of another type.
        """
        return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)
