"""Reading a bundle's manifest and checking the directory against it, without loading a model."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from luthier.bundle.kind import kind_of
from luthier.bundle.manifest import FORMAT, MANIFEST, Manifest
from luthier.bundle.probes import PROBES, RESTORE, file_sha256, tokenizer_digest
from luthier.errors import BundleError, ProbeError

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
"""File name endings of formats that run code when they are read: never read, never written."""

_LOADABLE = (*PICKLES, ".safetensors", ".py")


def read_manifest(path: str | Path) -> Manifest:
    """Read and check ``luthier.json``.

    Args:
        path: the bundle's directory.

    Raises:
        BundleError: nothing there, not a bundle, half-written, broken, or of a newer format.
    """
    directory = Path(path).expanduser()
    manifest = _parse(_raw(directory), directory / MANIFEST)
    _check_sense(manifest, directory / MANIFEST)
    return manifest


def check_files(path: str | Path, manifest: Manifest) -> None:
    """Compare every file with the size and sha256 that the manifest recorded.

    Raises:
        BundleError: a file is missing, cut off or changed, or one that a loader could pick up was slipped in.
    """
    directory = Path(path).expanduser()
    absent = [name for name in manifest.essential if name not in manifest.files]
    if absent:
        raise BundleError(f"{directory / MANIFEST} does not list {', '.join(absent)}, which every bundle has", RESTORE)
    # Sizes before hashes: a cut-off copy is told at once, without reading what is there.
    for name, record in manifest.files.items():
        _check_size(directory / name, name, record.bytes)
    for name, record in manifest.files.items():
        found = digest(directory / name)
        if found != record.sha256:
            raise BundleError(f"{directory / name} was changed after the bundle was written: sha256 {found[:12]}…, "
                              f"the manifest says {record.sha256[:12]}…", RESTORE)
    _check_strangers(directory, manifest)


def check_labels(path: str | Path, manifest: Manifest) -> None:
    """Compare the names of the outputs in ``config.json``, which other tools read, with the manifest's.

    Raises:
        BundleError: names, order or problem type differ.
    """
    file = Path(path).expanduser() / "config.json"
    config = _json_object(file)
    names = list(manifest.output_names)
    try:
        by_id = {int(key): value for key, value in dict(config.get("id2label") or {}).items()}
    except (TypeError, ValueError):
        by_id = {}
    found = [by_id[key] for key in sorted(by_id)]
    if sorted(by_id) != list(range(len(names))) or found != names:
        raise BundleError(f"the labels of {file} are {_short(found)}, the manifest says {_short(names)}", RESTORE)
    if config.get("label2id") != {name: index for index, name in enumerate(names)}:
        raise BundleError(f"label2id in {file} does not undo id2label", RESTORE)
    kind = kind_of(manifest.labels.problem_type).CONFIG
    if config.get("problem_type") != kind:
        raise BundleError(f"problem_type in {file} is {config.get('problem_type')!r}, the manifest says {kind!r}",
                          RESTORE)


def check_tokenizer(path: str | Path) -> None:
    """Compare ``tokenizer.json`` with the one that the probes were recorded with.

    The manifest holds its hash too, but a tool that rewrites the tokenizer and seals again would renew that one; and
    probe texts cannot touch every entry of a vocabulary.

    Raises:
        ProbeError: it is another tokenizer.
    """
    directory = Path(path).expanduser()
    recorded, found = tokenizer_digest(directory), digest(directory / "tokenizer.json")
    if recorded != found:
        raise ProbeError(f"{directory / 'tokenizer.json'} is not the tokenizer that {PROBES} was recorded with "
                         f"(sha256 {found[:12]}…, expected {recorded[:12]}…)", RESTORE)


def digest(file: Path) -> str:
    """Return the sha256 of a file's bytes, in hex.

    Raises:
        BundleError: the file cannot be read.
    """
    try:
        return file_sha256(file)
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}", RESTORE) from error


def is_bundle(path: Path) -> bool:
    """Return whether a directory carries a manifest, whatever its state."""
    return (path / MANIFEST).is_file()


def _raw(directory: Path) -> bytes:
    try:
        return (directory / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _why_absent(directory) from None
    except OSError as error:
        raise BundleError(f"cannot read {directory / MANIFEST}: {error.strerror or error}",
                          "check the path and its permissions") from error


def _why_absent(directory: Path) -> BundleError:
    if not directory.exists():
        return BundleError(f"no bundle at {directory}", "check the path, or train one: luthier train DATA --out DIR")
    if not directory.is_dir():
        return BundleError(f"{directory} is a file, not a bundle directory",
                           "give the directory that holds luthier.json")
    found = {entry.name for entry in directory.iterdir()}
    if PROBES in found or "adapter_model.safetensors" in found or ".partial-" in directory.name:
        return BundleError(f"the bundle at {directory} is half-written: it has no {MANIFEST}, which is written last",
                           "train it again, or copy it again from where it is whole")
    if "config.json" in found:
        return BundleError(f"{directory} is a plain model directory, not a Luthier bundle (no {MANIFEST})",
                           "tune it first: luthier train DATA --model DIR --out DIR")
    return BundleError(f"{directory} is not a Luthier bundle (no {MANIFEST})",
                       "give the directory that `luthier train` wrote")


def _parse(raw: bytes, file: Path) -> Manifest:
    try:
        head = json.loads(raw)
    except ValueError as error:
        raise BundleError(f"{file} is not readable JSON ({error})", RESTORE) from error
    written = head.get("format") if isinstance(head, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise BundleError(f"{file} has format {written}; this Luthier reads up to {FORMAT}",
                          "open it with a newer Luthier: pip install --upgrade luthier")
    try:
        return Manifest.from_json(raw)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:5]]
        raise BundleError(f"{file} is not a valid manifest: " + "; ".join(faults), RESTORE) from error


def _check_sense(manifest: Manifest, file: Path) -> None:
    names = manifest.labels.names
    if not names or len(set(names)) != len(names):
        raise BundleError(f"{file} lists no labels, or one twice: {_short(list(names))}", RESTORE)
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name:
            raise BundleError(f"{file} lists {name!r}, which is outside the bundle",
                              "do not use this bundle: it was not written by Luthier")


def _check_size(file: Path, name: str, expected: int) -> None:
    try:
        found = file.stat().st_size
    except OSError:
        raise BundleError(f"{name} is missing from the bundle at {file.parent}", RESTORE) from None
    if found != expected:
        raise BundleError(f"{file} has {found:,} bytes, the manifest says {expected:,}: it was cut off or changed",
                          RESTORE)


def _check_strangers(directory: Path, manifest: Manifest) -> None:
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        if file.suffix in _LOADABLE and name not in manifest.files and file.is_file():
            raise BundleError(f"{file} is not in the manifest, and a model loader might read it",
                              "move it out of the bundle if it is yours; else restore the bundle")


def _json_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}", RESTORE) from error
    except ValueError as error:
        raise BundleError(f"{file} is not readable JSON ({error})", RESTORE) from error
    if not isinstance(value, dict):
        raise BundleError(f"{file} holds {type(value).__name__}, expected an object", RESTORE)
    return value


def _short(names: list[Any]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return f"[{shown}, … {len(names)} in all]" if len(names) > 8 else f"[{shown}]"
