"""Tell the format that a file is in: by its content, then by its name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data.readers._encoding import HEAD_BYTES, decode_head
from luthier.data.readers._files import GZIP, is_gzip, open_bytes, suffix_of
from luthier.data.rows import Reader
from luthier.errors import DataError

SEAM = "data.readers"

_EASIEST_LAST = ("parquet", "xlsx", "jsonl", "json", "conll", "semeval", "txt", "tsv", "csv")
"""Formats that are told surely come first, those that accept nearly any text last; outsiders' come before all."""
_KNOWN_BINARIES = (
    (b"\xd0\xcf\x11\xe0", "an old .xls or a workbook with a password",
     "open it in Excel and save it as .xlsx without a password"),
    (b"PK\x03\x04", "a zip archive, not a workbook", "unpack it first: unzip {path}"),
    (b"%PDF", "a PDF", "copy its table into a CSV or XLSX file"),
)

_STANDOFF = re.compile(r"\ufeff?(?:[TREAMN#][0-9]+|\*)\t\S+ \S")
"""How a file of brat's begins: ``T1``, a tab, a type and places."""

_NO_TEXT = (b"PAR1", GZIP, *(magic for magic, _, _ in _KNOWN_BINARIES))
"""How files start that may look like text further on."""


def find_reader(path: Path, *, prose: bool = False) -> tuple[str, Reader]:
    """Return name and module of the format that a file is in, told by its content, then by its name.

    Args:
        path: of the file.
        prose: whether texts alone are wanted, so that a plain text file is no table unless its lines are cut alike.

    Raises:
        DataError: no such file, a directory, an empty file, or a format that nobody claims.
    """
    head = _head(path)
    known = plugins.names(SEAM)
    order = sorted(known, key=lambda name: _EASIEST_LAST.index(name) if name in _EASIEST_LAST else -1)
    packed = is_gzip(path)
    if packed and (decode_head(head) is None or head.startswith(_NO_TEXT)):
        raise DataError(f"{path} is compressed with gzip, and what is in it is no text",
                        f"only text is read compressed; unpack it first: gunzip -k {path}")
    readers: dict[str, Any] = {name: plugins.load(SEAM, name) for name in order}
    readers = {name: reader for name, reader in readers.items() if reader.IS_TEXT or not packed}
    suffix = suffix_of(path)
    if suffix == ".ann" and _STANDOFF.match(decode_head(head) or ""):
        raise DataError(f"{path} holds annotations of brat without their text, which stands in the .txt file beside it",
                        'write a row for each document: {"text": "…", "entities": [{"start": 0, "end": 3, "label": '
                        '"PER"}]}; relations, too, stand beside them: docs/tasks/entities-and-relations.md')
    if prose and readers["txt"].is_prose(path, head):
        return "txt", readers["txt"]
    # A format that the name speaks for goes first, but only if the content agrees.
    for name in sorted(readers, key=lambda name: suffix not in readers[name].SUFFIXES):
        if readers[name].sniff(path, head):
            return name, readers[name]
    for magic, what, fix in _KNOWN_BINARIES:
        if head.startswith(magic):
            raise DataError(f"{path} is {what}", fix.format(path=path))
    raise DataError(f"{path}: the format is none that Luthier reads ({', '.join(known)})",
                    "save it as CSV UTF-8, XLSX or JSON Lines")


def _head(path: Path) -> bytes:
    try:
        if not (path.is_file() or path.is_dir()) and path.exists():
            raise DataError(f"{path} is a pipe or a device, which can be read only once or never ends",
                            "save what comes out of it to a file, and give that")
        with open_bytes(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        near = _nearest_file(path)
        raise DataError(f"there is no file {path}", near or "give the path of a file that exists") from None
    except IsADirectoryError:
        files = [name for name in _entries(path) if (path / name).is_file()][:5]
        raise DataError(f"{path} is a directory",
                        f"give one file in it, such as {', '.join(files) or 'a CSV file'}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    except ValueError as error:  # A NUL character.
        raise DataError(f"{str(path)!r} is no path: {error}", "give the path of a file that exists") from None
    if not head.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"):
        raise DataError(f"{path} is empty", "give a file with a header and at least one row of data")
    return head


def _nearest_file(path: Path) -> str:
    if not path.parent.is_dir():
        return f"the directory {path.parent} does not exist either"
    hint = plugins.did_you_mean(path.name, _entries(path.parent))
    return hint if hint.startswith("did you mean") else ""


def _entries(directory: Path) -> list[str]:
    """Return the names in a directory for a hint; none when this user may not list it."""
    return sorted(os.listdir(directory)) if os.access(directory, os.R_OK | os.X_OK) else []
