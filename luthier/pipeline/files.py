"""Writing one file so that it is there whole or not at all, and telling before the work when it could not be."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from luthier.bundle.write import disk_full
from luthier.errors import DataError


def check_output(path: Path, source: str | Path) -> None:
    """Refuse an output file that could not be written, or that is the file read, before any work is done.

    Raises:
        DataError: a directory or a device stands there, it is the source, or the place cannot be written to.
    """
    with unwritable(path), suppress(FileNotFoundError):
        os.lstat(path)
    if os.path.isdir(path):
        raise DataError(f"{path} is a directory, so no file can be written there", "give the name of a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise DataError(f"{path} is a device or a pipe; a finished file would replace it", "give the name of a file")
    if os.path.exists(path) and os.path.exists(source) and os.path.samefile(path, source):
        raise DataError(f"{path} is the file that is read; writing would replace it", "give another name to write to")
    check_directory(path.parent)


def check_directory(path: Path) -> None:
    """Refuse a directory that cannot be made or written to.

    Raises:
        DataError: a file is in the way, or this user may not write there.
    """
    place = Path(os.path.realpath(path))
    while not os.path.lexists(place):
        place = place.parent
    if not os.path.isdir(place):
        raise DataError(f"nothing can be written to {path}: {place} is not a directory", "choose another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise DataError(f"nothing can be written to {path}: this user may not write in {place}",
                        "choose another place, or ask for the right to write there")


@contextmanager
def whole_file(path: Path, *, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Open a text file for writing under a temporary name; it takes its own name when the block ends well.

    Raises:
        DataError: it cannot be made, or the disk is full; what stood there before stands there still.
    """
    with whole_path(path) as temporary, temporary.open("w", encoding=encoding, errors="replace", newline="") as file:
        yield file


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give an empty file of a temporary name to write to, as ``whole_file`` opens one.

    Raises:
        DataError: as there.
    """
    final = Path(os.path.realpath(path))  # of a link, the file it leads to
    temporary = final.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with unwritable(path):
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()
        yield temporary
        with unwritable(path):
            os.replace(temporary, final)
    except OSError as error:
        if not disk_full(error):
            raise
        raise DataError(f"the disk is full: {path} could not be written; what stood there before is untouched",
                        "free some space, or write to another disk") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into one that names the output.

    Raises:
        DataError: the block met an ``OSError`` other than a full disk.
    """
    try:
        yield
    except OSError as error:
        if disk_full(error):
            raise
        raise DataError(f"{path} cannot be written: {error.strerror or error}", "choose another place") from None
