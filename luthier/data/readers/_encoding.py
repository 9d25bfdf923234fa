"""Find a text file's encoding from its bytes, and open it so that damage stays in its own row."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from luthier.data.readers._files import open_bytes
from luthier.errors import DataError

HEAD_BYTES = 1 << 16
"""Bytes a format is told from."""
DAMAGE = "\udc80"
"""Stands for bytes that could not be decoded; no decoder yields it for a real character."""

_CHUNK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"\x84\x31\x95\x33", "gb18030"))
_FIX = "save the file as UTF-8, or name its encoding: data.encoding=cp1252 (or big5, shift_jis, …)"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends, cut where an open file cuts them, not at each of Unicode's breaks."""
    return re.findall(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text)


def detect(path: Path) -> str:
    """Return the Python codec name of a text file: UTF-8, UTF-16 or UTF-32 with or without a mark, else GB18030.

    The whole file is read (seconds for a gigabyte): it may be ASCII for a thousand rows and GB18030 after that.

    Raises:
        DataError: the bytes are none of these.
    """
    with open_bytes(path) as file:
        head = file.read(HEAD_BYTES)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    wide = _utf16_without_mark(head)
    if wide and _nul_share(head) > 0.2:
        return wide
    bad, good = _utf8_faults(path)
    if not bad:
        return "utf-8"
    if wide:
        return wide
    if _looks_gb18030(path):
        return "gb18030"
    if good > 4 * bad:
        return "utf-8"  # Hurt in a few places: those rows are reported, the others are read.
    raise DataError(f"{path}: the bytes are neither UTF-8, UTF-16 nor GB18030", _FIX)


def resolve(path: Path, encoding: str | None) -> str:
    """Return the codec to read with: the one asked for, checked, or the one found.

    Raises:
        DataError: no such codec, or none found.
    """
    if encoding is None:
        return detect(path)
    try:
        name = codecs.lookup(encoding).name
        if not codecs.lookup(name)._is_text_encoding:  # type: ignore[attr-defined,unused-ignore]
            raise LookupError
    except (LookupError, ValueError):
        raise DataError(f"{path}: there is no encoding {encoding!r}",
                        "use a name such as utf-8, utf-16, gb18030 or cp1252, or leave it out") from None
    _check_start(path, name)
    # The later standard holds the earlier ones, and files called GBK often need it.
    return "gb18030" if name in {"gbk", "gb2312"} else name


def _check_start(path: Path, name: str) -> None:
    """Refuse a codec that gives up on the file as a whole: UTF-16 without its mark, or one not made for files."""
    with open_bytes(path) as file:
        head = file.read(HEAD_BYTES)
    try:
        codecs.getincrementaldecoder(name)(_HANDLER).decode(head)
    except UnicodeError as error:
        raise DataError(f"{path} cannot be read as {name}: {error}",
                        "leave the encoding out to have it found from the bytes, or name another") from None


@contextmanager
def open_text(path: Path, encoding: str | None) -> Iterator[IO[str]]:
    """Open for reading with line ends as they are; bytes that do not decode become ``DAMAGE``."""
    codec = resolve(path, encoding)
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=codec, errors=_HANDLER, newline="") as file:
        yield file


def decode_head(head: bytes) -> str | None:
    """Return the first characters of what may be a text file, or ``None`` when it looks binary."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return head.decode(name, errors="ignore").removeprefix("\ufeff")
    wide = _utf16_without_mark(head)
    if wide:
        return head.decode(wide, errors="ignore")
    if _nul_share(head) > 0.01 or len(_BINARY.findall(head)) > 0.02 * len(head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return head.decode("gb18030", errors="replace")


_BINARY = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _nul_share(head: bytes) -> float:
    return head.count(0) / max(len(head), 1)


def _utf16_without_mark(head: bytes) -> str | None:
    """Tell UTF-16 by its zero bytes: ASCII characters, if only commas and line ends, have theirs all on one side."""
    low, high = head[0::2].count(0), head[1::2].count(0)
    if low + high < 2 or max(low, high) < 0.95 * (low + high):
        return None
    name = "utf-16-le" if high > low else "utf-16-be"
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return None
    # Two zero bytes in plain text would otherwise do; their neighbours then make private or unassigned characters.
    plausible = sum(1 for c in text if c.isprintable() or c in "\r\n\t")
    return name if plausible > 0.95 * len(text) and re.search("[\n,;\t{]", text) else None


def _chunks(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _utf8_faults(path: Path) -> tuple[int, int]:
    """Return (places that are not UTF-8, characters beyond ASCII that are); the latter only when there is a fault."""
    strict = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(path):
            strict.decode(chunk)
        strict.decode(b"", final=True)
    except UnicodeDecodeError:
        marked = codecs.getincrementaldecoder("utf-8")(_HANDLER)
        bad = good = 0
        for text in (marked.decode(chunk) for chunk in (*_chunks(path), b"")):
            bad += text.count(DAMAGE)
            good += len(_BEYOND_ASCII.findall(text))
        return max(bad, 1), good
    return 0, 0


_BEYOND_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")


_KANA = re.compile("[\u3041-\u30ff]")
_EARLIER = bytes(range(0xC9))
"""First bytes of the characters of GB 2312 up to the last that Korean code pages give to syllables."""
_TELLING = 100
"""Characters beyond ASCII from which on shares tell anything."""


def _looks_gb18030(path: Path) -> bool:
    """Accept GB18030 when nearly all of it decodes and most of it is everyday Chinese.

    The accents of Western code pages also decode as GB18030, as rare characters: a letter's byte follows the accent's.
    In Chinese text nearly every character is one of the older and smaller standard, GB 2312, and a third of them stand
    behind those places of it where Korean code pages have all their syllables. Japanese ones have kana where it has.
    """
    decoder = codecs.getincrementaldecoder("gb18030")(_HANDLER)
    damaged = beyond = common = later = kana = 0
    for chunk in _chunks(path):
        text = decoder.decode(chunk)
        damaged += text.count(DAMAGE)
        foreign = "".join(_BEYOND_ASCII.findall(text))
        beyond += len(foreign)
        encoded = foreign.encode("gb2312", errors="ignore")
        common += len(encoded) // 2
        later += len(encoded[::2].translate(None, _EARLIER))
        kana += len(_KANA.findall(foreign))
    return (common > 0.7 * beyond and damaged <= 0.02 * beyond and kana <= 0.1 * beyond
            and (beyond < _TELLING or later > 0.05 * beyond))


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return DAMAGE, error.end


_HANDLER = "luthier-mark"
codecs.register_error(_HANDLER, _mark)
