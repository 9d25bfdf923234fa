"""What is kept for the next run: written whole or not at all, for its owner alone, under a limit of bytes."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

ABANDONED = 86_400
"""Seconds without a change after which an unfinished file is nobody's."""

SEAL = 32
"""Bytes at the end of a sealed file."""
_PIECE = 1 << 20


def keep(place: Path, write: Callable[[BinaryIO], Any], limit: int) -> str | None:
    """Write a file, then delete those of its folder and suffix that were not used for longest, down to a limit.

    Args:
        place: of the file. Only its owner may read it: what is kept shows customers' words in another form.
        write: writes it.
        limit: bytes of all such files; the newest stays in any case.

    Returns:
        Why it could not be kept, if it could not; nothing is left of it then.
    """
    temporary = place.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            write(file)
        os.replace(temporary, place)
        _forget_oldest(place, limit)
    except OSError as error:
        return f"{place.parent} cannot be written ({error.strerror or error})"
    finally:
        with suppress(OSError):  # it has its name by now, or may never have been made
            temporary.unlink()
    return None


def sealed(place: Path) -> bool:
    """Return whether a file ends with the sha256 of what stands before: what is mapped as it is must be whole."""
    try:
        size = place.stat().st_size - SEAL
        with place.open("rb") as file:
            told = hashlib.sha256()
            for start in range(0, size, _PIECE):
                told.update(file.read(min(_PIECE, size - start)))
            return size >= 0 and file.read() == told.digest()
    except OSError:
        return False


def used(place: Path) -> None:
    """Take note that a file was read, so that others are older."""
    with suppress(OSError):  # read by somebody who may not write: it is only old sooner
        os.utime(place)


def forget_directories(newest: Path, limit: int) -> None:
    """Remove the directories beside ``newest`` that were used longest ago until the rest has no more bytes than that.

    Also unfinished ones of runs that were killed, whose names begin with a full stop.
    """
    kept = []
    for place in filter(Path.is_dir, newest.parent.iterdir()):
        with suppress(OSError):  # another run was faster
            told = place.stat().st_mtime
            if not place.name.startswith("."):
                kept.append((told, sum(file.stat().st_size for file in place.iterdir()), place))
            elif time.time() - told > ABANDONED:
                shutil.rmtree(place, ignore_errors=True)
    size = sum(bytes_ for _, bytes_, _ in kept)
    for _, bytes_, place in sorted(kept):
        if size > limit and place != newest:
            size -= bytes_
            remove(place)


def remove(place: Path) -> None:
    """Remove a directory that others may look for: under its name it is there whole or not at all."""
    aside = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
    with suppress(OSError):  # another run was faster
        place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _forget_oldest(newest: Path, limit: int) -> None:
    for file in newest.parent.glob(".*.partial"):  # of a run that was killed
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > ABANDONED:
                file.unlink()
    kept = []
    for file in newest.parent.glob(f"*{newest.suffix}"):
        with suppress(FileNotFoundError):  # another run was faster
            told = file.stat()
            kept.append((told.st_mtime, told.st_size, file))
    size = sum(bytes_ for _, bytes_, _ in kept)
    for _, bytes_, file in sorted(kept):
        if size > limit and file != newest:
            size -= bytes_
            file.unlink(missing_ok=True)
