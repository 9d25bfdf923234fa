"""What a model source hands over, and the place where converted models are kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A pretrained model on this machine, ready to open."""

    name: str
    """The name it was asked for by, which finds it again."""
    source: str
    """Which source had it: ``directory``, ``package`` or ``hub``."""
    path: Path
    """Directory with ``config.json``, ``model.safetensors`` and the tokenizer."""
    licence: str | None
    """SPDX-like licence, where the source says."""
    revision: str | None
    """Hub commit or package version."""
    sha256: str
    """Of ``model.safetensors`` (of its shards' hashes, in name order, where there are several)."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of ``luthier models``."""

    name: str
    kind: str
    """``encoder``, which reads a text both ways, or ``decoder``, which reads forwards and can write on."""
    languages: str
    parameters: int
    """Number of weights."""
    licence: str
    size_mb: int
    """On disk once ready to open, in MB (10^6 bytes)."""
    installed: bool
    """The package that carries it is installed."""
    cached: bool
    """It is ready to open without a conversion or a download."""
    how_to_install: str
    """The pip command that brings the package."""
    hub_id: str
    """Where it lives on a model hub."""


def cache_directory() -> Path:
    """Return the place of converted models: ``$LUTHIER_CACHE``, ``$XDG_CACHE_HOME/luthier`` or ``~/.cache/luthier``."""
    own = os.environ.get("LUTHIER_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(shared) if shared else Path.home() / ".cache") / "luthier"
    except RuntimeError:
        raise ModelError("there is no home directory to keep models in",
                         "set LUTHIER_CACHE to a directory that can be written") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty when there is no such file.

    Raises:
        ModelError: the file holds no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not readable JSON: {error}", "fetch or copy the model again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds {type(values).__name__}, expected an object", "fetch or copy the model again")
    return values


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_sha256(directory: Path) -> str:
    """Return the hash by which a model directory is recognised: of ``model.safetensors``, or over its shards."""
    whole = directory / "model.safetensors"
    if whole.is_file():
        return sha256_of(whole)
    shards = sorted(directory.glob("model-*.safetensors"))
    return hashlib.sha256("".join(map(sha256_of, shards)).encode()).hexdigest()
