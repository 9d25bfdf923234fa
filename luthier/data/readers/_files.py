"""Open files as bytes, those compressed with gzip as what is in them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from luthier.errors import DataError

GZIP = b"\x1f\x8b"
"""What every gzip file starts with (RFC 1952)."""


def is_gzip(path: Path) -> bool:
    """Tell by its first bytes whether a file is compressed with gzip, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def suffix_of(path: Path) -> str:
    """Return the ending of the name in lower case; of ``rows.csv.gz`` that is ``.csv``."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file; what is compressed with gzip is unpacked a piece at a time.

    Raises:
        DataError: the compressed data is damaged or cut short (here or while it is read).
    """
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            file.seek(0)
            yield file
            return
    try:
        with gzip.open(path, "rb") as unpacked:
            yield cast("IO[bytes]", unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is compressed with gzip and damaged: {error}",
                        f"copy or download it again, it may have been cut short; to check it: gzip -t {path}") from None
