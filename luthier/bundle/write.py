"""Writing a bundle so that a reader sees the old one or the new one, whole, and never anything between."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from luthier.bundle._swap import hold, is_held, swap_in
from luthier.bundle.manifest import MANIFEST, FileRecord, Manifest
from luthier.bundle.read import PICKLES, digest, is_bundle
from luthier.errors import BundleError


@contextmanager
def staged(target: str | Path) -> Iterator[Path]:
    """Give a directory to write into; when the block ends well it becomes ``target``, in one step.

    The directory stands beside the target, on the same file system. Until the block has ended, every byte is on the
    disk and a manifest is there, an old bundle at the target stays as it is. When the block raises, or Ctrl-C stops it,
    what was written is removed; what a killed process left is removed by the next write to the same target.

    Args:
        target: where the bundle shall stand. A bundle that is there is replaced as a whole.

    Raises:
        BundleError: something other than a bundle stands at the target, the block sealed nothing, the place cannot be
            written to, or the disk is full.
    """
    # Of a link, the directory it leads to: to exchange the link itself would leave the old bundle where it points.
    final = Path(os.path.realpath(Path(target).expanduser()))
    refuse_foreign(final)
    staging = _make_staging(final)
    whole = False
    try:
        # The lock tells later writers that this directory belongs to a living process.
        with hold(staging):
            yield staging
            if not is_bundle(staging):
                raise BundleError(f"the bundle for {final} was not sealed", "call seal() before the block ends")
            _sync_tree(staging)
            refuse_foreign(final)
            swap_in(staging, final)
            whole = True
    except Exception as error:
        if disk_full(error):
            raise BundleError(f"disk full while writing the bundle {final}; nothing was replaced",
                              f"free space on the disk of {final.parent}, or write elsewhere with --out") from error
        raise
    finally:
        if not whole:
            shutil.rmtree(staging, ignore_errors=True)


def seal(directory: Path, manifest: Manifest) -> Manifest:
    """Hash every file in the directory and write ``luthier.json``, which makes it a bundle.

    Args:
        directory: everything but the manifest is there: weights, tokenizer, probes, card, report.
        manifest: its ``files`` are filled in here.

    Returns:
        The manifest as written.

    Raises:
        BundleError: an essential file is missing, or a pickle or a link is among them.
    """
    files: dict[str, FileRecord] = {}
    mode = _usual_mode(directory)
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        if file.is_symlink() or file.suffix in PICKLES:
            raise BundleError(f"{file} is a {'link' if file.is_symlink() else 'pickle'}; a bundle holds neither",
                              "write weights as safetensors and copy files instead of linking them")
        if file.is_file() and name != MANIFEST:
            file.chmod(mode)
            files[name] = FileRecord(sha256=digest(file), bytes=file.stat().st_size)
    sealed = replace(manifest, files=files)
    absent = [name for name in sealed.essential if name not in files]
    if absent:
        raise BundleError(f"cannot seal {directory}: {', '.join(absent)} missing", "write them before sealing")
    unfinished = directory / f".{MANIFEST}.tmp"
    unfinished.write_text(sealed.to_json(), encoding="utf-8")
    _sync(unfinished)
    unfinished.replace(directory / MANIFEST)
    return sealed


def _usual_mode(directory: Path) -> int:
    """Return the rights of a file just made there: safetensors writes 0600, which a server's user cannot read."""
    fresh = directory / ".mode"
    fresh.touch()
    mode = stat.S_IMODE(fresh.stat().st_mode)
    fresh.unlink()
    return mode


def refuse_foreign(target: Path) -> None:
    """Refuse a target that holds something other than a bundle; call it early, before hours of tuning.

    Raises:
        BundleError: a file, or a directory with other contents, stands there.
    """
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise BundleError(f"{target} is a file, so no bundle can be written there",
                          "choose another directory with --out")
    if not is_bundle(target) and any(target.iterdir()):
        raise BundleError(f"{target} holds files that are not a Luthier bundle; they would be lost",
                          "choose an empty or new directory with --out, or move them away")


def disk_full(error: BaseException) -> bool:
    """Return whether an exception says that the disk or a quota is full.

    The libraries written in Rust (safetensors, tokenizers) raise types of their own with the system's words in them.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in (os.strerror(errno.ENOSPC), "StorageFull", os.strerror(errno.EDQUOT)))


def _make_staging(final: Path) -> Path:
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(final)
        staging = final.parent / f".{final.name}.partial-{secrets.token_hex(4)}"
        staging.mkdir()
    except OSError as error:
        raise BundleError(f"cannot write a bundle to {final}: {error.strerror or error}",
                          "choose a directory that you may write to with --out") from error
    return staging


def _remove_stale(final: Path) -> None:
    """Remove what killed writers left, after putting back an old bundle that one of them had moved aside."""
    for aside in final.parent.glob(f".{final.name}.partial-*-old"):
        if not final.exists() and is_bundle(aside):
            aside.rename(final)
    for sibling in final.parent.iterdir():
        if sibling.name.startswith(f".{final.name}.partial-") and sibling.is_dir() and not is_held(sibling):
            shutil.rmtree(sibling, ignore_errors=True)


def _sync_tree(directory: Path) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        _sync(path)
    _sync(directory)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
