"""Which backend a bundle runs on here: measured once on this machine, remembered, and told with its reason."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from luthier import __version__, plugins
from luthier.bundle import Manifest
from luthier.inference.measuring import Measured, measure
from luthier.models.files import cache_directory
from luthier.models.hardware import cores, has_gpu, multiplies_bf16, processor
from luthier.models.kept import keep
from luthier.models.native import impossible

Purpose = Literal["throughput", "latency"]
"""What counts: many texts at once, or one at a time."""

REFERENCE = "torch"
SECONDS = 5.0
"""Of measuring, shared by all backends; opening them comes on top."""
NEAR = 0.8
"""Share of the highest speed from which two backends are taken to be equally fast."""
FORGIVEN = 86_400
"""Seconds after which a backend that failed is measured again: the machine may have been short of memory."""
LIMIT = 1 << 20
"""Bytes of all kept figures."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Backends, the best first, and why it is the best."""

    names: tuple[str, ...]
    """The one to take, and those to try when it does not answer as it should; the reference is the last."""
    reason: str


def choose(
    directory: Path, manifest: Manifest, purpose: Purpose, *, measuring: bool, device: str | None = None,
    threads: int | None = None, offline: bool = False,
) -> Choice:
    """Return the backends in the order of their speed here, as far as is known.

    Args:
        directory: the bundle.
        manifest: its manifest.
        purpose: what counts.
        measuring: whether to try all backends (about 15 seconds) when that was not done before for such a model with
            these threads and libraries; otherwise the processor's features decide.
        device: where it shall run; anything but the CPU takes the reference.
        threads: CPU threads.
        offline: never ask a model hub for an adapter's base.
    """
    if manifest.labels.of_texts or manifest.labels.of_tokens:
        others = [name for name in plugins.names("inference.backends") if name != REFERENCE and _writes(name)]
        return Choice((*others, REFERENCE), "it can write texts" if not manifest.labels.of_masks else "it tells tokens")
    if device not in (None, "cpu") or (device is None and has_gpu()):
        return Choice((REFERENCE,), "the reference, on an accelerator")
    place = _place(directory, manifest, threads)
    installed = [name for name in plugins.names("inference.backends") if _installed(name)]
    figures = {name: found for name, found in _read(place).items() if name in installed}
    missing = [name for name in installed if name not in figures]
    if any(not found.fault for found in figures.values()) and not (missing and measuring):
        return _best(figures, purpose, "measured here before")
    if not measuring:
        able, why = multiplies_bf16("cpu")
        names = ("native", "torch-bf16") if impossible() is None else ("torch-bf16",) if able else ("torch-fp32",)
        return Choice((*names, REFERENCE), f"not measured: {why}")
    figures |= {name: measure(name, directory, seconds=SECONDS / len(installed), threads=threads, offline=offline)
                for name in missing}
    lost = _write(place, figures)
    best = _best(figures, purpose, "measured here")
    return Choice(best.names, best.reason + (f"; will be measured again: {lost}" if lost else ""))


def _writes(name: str) -> bool:
    """Return whether a backend can write texts."""
    return bool(getattr(plugins.load("inference.backends", name), "GENERATES", False))


def _best(figures: Mapping[str, Measured], purpose: Purpose, how: str) -> Choice:
    worked = {name: found for name, found in figures.items() if not found.fault}
    faults = "".join(f"; {name} failed: {found.fault}" for name, found in figures.items() if found.fault)
    if not worked:
        return Choice((REFERENCE,), f"the reference{faults}")
    if purpose == "throughput":
        order = sorted(worked, key=lambda name: -worked[name].texts_per_second)
        order = _settled(order, [worked[name].texts_per_second for name in order])
        shown, unit = [f"{name} {worked[name].texts_per_second:,.0f}" for name in order], "texts/s"
    else:
        order = sorted(worked, key=lambda name: worked[name].milliseconds)
        order = _settled(order, [1 / max(worked[name].milliseconds, 1e-9) for name in order])
        shown, unit = [f"{name} {worked[name].milliseconds:.1f}" for name in order], "ms for one text"
    return Choice((*order, REFERENCE), f"{how}, {unit}: {', '.join(shown)}{faults}")


def _settled(order: list[str], speeds: list[float]) -> list[str]:
    """Put ``native`` first where it is about as fast as the fastest: a second each on a busy machine tells no more."""
    near = [name for name, speed in zip(order, speeds, strict=True) if speed >= NEAR * speeds[0]]
    return ["native", *(name for name in order if name != "native")] if "native" in near else order


def _installed(name: str) -> bool:
    module = plugins.load("inference.backends", name)
    return all(importlib.util.find_spec(package) is not None for package in module.PACKAGES)


def _place(directory: Path, manifest: Manifest, threads: int | None) -> Path:
    """Return the file that holds the figures of models of that shape on such a machine."""
    told = [platform.platform(), processor(), threads or cores(), manifest.kind, _shape(directory, manifest),
            __version__, {name: _version(name) for name in ("torch", "transformers", "onnxruntime", "openvino")},
            plugins.names("inference.backends")]
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    return cache_directory() / "backends" / f"{key}.json"


def _shape(directory: Path, manifest: Manifest) -> list[object]:
    """Return what the speed of a model depends on; another bundle of that shape needs no measuring."""
    if manifest.kind == "adapter":
        return [manifest.base.sha256]
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []  # opening the bundle says what is wrong with it
    return [config.get(name) for name in ("model_type", "architectures", "hidden_size", "num_hidden_layers",
                                          "intermediate_size", "num_attention_heads", "dim", "n_layers")]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(place: Path) -> dict[str, Measured]:
    """Return stored figures, but for faults that are old; what is missing or cannot be read is measured again."""
    try:
        stored = json.loads(place.read_text(encoding="utf-8"))
        figures = {name: Measured(float(told["texts_per_second"]), float(told["milliseconds"]), str(told["fault"]))
                   for name, told in stored.items()}
        old = time.time() - place.stat().st_mtime > FORGIVEN
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}
    return {name: found for name, found in figures.items() if not (found.fault and old)}


def _write(place: Path, figures: Mapping[str, Measured]) -> str | None:
    """Remember figures; return why that was not possible. If nothing worked it is the bundle's fault: none are kept."""
    if all(found.fault for found in figures.values()):
        return None
    told = json.dumps({name: asdict(found) for name, found in figures.items()}).encode()
    return keep(place, lambda file: file.write(told), LIMIT)
