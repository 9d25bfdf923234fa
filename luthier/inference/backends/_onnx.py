"""A bundle as an ONNX graph: exported once, kept in the cache, read by ONNX Runtime and OpenVINO alike.

OpenVINO's own converter is not used: it reports to its makers over the network unless told otherwise, and a bundle's
owner may not want that. Reading ONNX does not.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from luthier.bundle import Manifest
from luthier.errors import BundleError, ModelError
from luthier.inference.backends._modules import open_module, read_config
from luthier.models.files import cache_directory
from luthier.models.kept import forget_directories, used
from luthier.schema import Batch, Int64

OPSET = 17
EXPORT = 1
"""Raised when exported graphs change, so that older ones are not taken."""
KEPT_BYTES = 4 * 2**30
"""Of exported graphs; those used longest ago go first."""
_FILE = "model.onnx"


def exported(directory: Path, manifest: Manifest, *, offline: bool) -> Path:
    """Return the bundle's graph, exporting it if the cache has none.

    Inputs ``input_ids`` and ``attention_mask`` (B, T) int64, ``token_type_ids`` too for pairs; output ``logits``.

    Raises:
        BundleError: torch cannot export this model.
        ModelError: the cache cannot be written.
    """
    root = cache_directory() / "onnx"
    place = root / _key(manifest)
    try:
        if not (place / _FILE).is_file():
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".partial-") as made:
                _export(directory, manifest, Path(made) / "graph", offline)
                _put(Path(made) / "graph", place)
            forget_directories(place, KEPT_BYTES)
        used(place)
    except OSError as error:
        raise ModelError(f"the graph of the bundle at {directory} cannot be kept in {root}: {error.strerror or error}",
                         "free some space, set LUTHIER_CACHE to another place, or use --backend torch") from error
    return place / _FILE


def check_cpu(name: str, device: str | None) -> None:
    """Refuse another device than the CPU.

    Raises:
        ModelError: one was asked for.
    """
    if device not in (None, "cpu"):
        raise ModelError(f"the backend {name} runs on the CPU, not on {device!r}",
                         "leave the device out, or use --backend torch")


def _put(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not (place / _FILE).is_file():  # else another process was faster, with the same graph
            raise


def inputs(batch: Batch, *, pair: bool) -> dict[str, Int64]:
    """Return what the graph takes: (B, T) int64 arrays."""
    given = {"input_ids": batch.ids, "attention_mask": batch.mask.astype(np.int64)}
    if pair:
        given["token_type_ids"] = np.zeros_like(batch.ids) if batch.type_ids is None else batch.type_ids
    return given


def takes_types(directory: Path, manifest: Manifest) -> bool:
    """Return whether the graph has ``token_type_ids``."""
    if not manifest.pair:
        return False
    config = read_config(directory)
    return int(config.get("type_vocab_size") or 0) > 1


def _key(manifest: Manifest) -> str:
    """Return a name that changes with the weights, the configuration and the exporter."""
    weights = {name: record.sha256 for name, record in manifest.files.items()
               if name.endswith(".safetensors") or name in ("config.json", "adapter_config.json")}
    told = [EXPORT, OPSET, version("torch"), version("transformers"), manifest.kind, manifest.pair,
            manifest.base.sha256, weights]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _export(directory: Path, manifest: Manifest, place: Path, offline: bool) -> None:
    import torch

    module = open_module(directory, manifest, offline=offline)
    if manifest.kind == "adapter":
        from luthier.models.lora import merge

        module = merge(module).eval()
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if takes_types(directory, manifest) else [])]
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in names}
    place.mkdir()
    with warnings.catch_warnings():
        # The tracer warns of every shape it fixes; those of a batch stay free, which the conformance suite shows.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                _logits_only(module, names), tuple(example.values()), str(place / _FILE), dynamo=False,
                input_names=names, output_names=["logits"], opset_version=OPSET,
                dynamic_axes={**{name: {0: "B", 1: "T"} for name in names},
                              "logits": {0: "B", 1: "T"} if manifest.labels.per_token else {0: "B"}})
        except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
            first = str(error).strip().split("\n")[0]
            raise BundleError(f"torch cannot write the bundle at {directory} as ONNX: {first}",
                              "use --backend torch") from error


def _logits_only(module: Any, names: list[str]) -> Any:
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.module(**dict(zip(names, tensors, strict=True))).logits
            return found

    return Logits().eval()
