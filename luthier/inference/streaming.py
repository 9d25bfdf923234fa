"""Any number of rows through a predictor, in order, while two windows of them are held and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from luthier.inference.writing import writes
from luthier.schema import Conversation, Marked, TextInput

if TYPE_CHECKING:
    from luthier.inference.predictor import Predictor
    from luthier.models.encoding import Ragged

WINDOW = 4096
"""Rows that ``stream`` holds at once (twice: one window is computed while the next is read and encoded)."""

WRITTEN = 256
"""Rows that it holds at once where texts are written, which takes so long that the first are wanted early."""

CHARACTERS = 1 << 22
"""Characters that it holds at once, about, at eight outputs a token: the logits of windows take room."""


def stream(predictor: Predictor, rows: Iterable[TextInput], *, window: int) -> Iterator[Any]:
    """Yield one answer a row; see ``Predictor.stream``."""
    if window < 1:
        raise ValueError(f"window must be 1 or more, got {window}")
    source = iter(rows)
    with ThreadPoolExecutor(1, thread_name_prefix="luthier-encode") as encoding:
        window = min(window, WRITTEN) if writes(predictor.task) else window
        done, room = 0, CHARACTERS * 8 // max(8, len(predictor.task.outputs(predictor.labels)))
        ahead: tuple[Sequence[TextInput], Future[Ragged]] | None = None
        while True:
            part = predictor.checked(_next(source, window, room), first=done)
            done += len(part)
            current, ahead = ahead, (part, encoding.submit(predictor.encode, part)) if part else None
            if current is not None:
                texts, ragged = current[0], current[1].result()
                yield from predictor.answers(ragged, texts)
            if ahead is None:
                return


def _next(source: Iterator[Any], window: int, room: int) -> list[Any]:
    """Return the next rows: so many, or fewer where they have more than ``room`` characters together."""
    rows: list[Any] = []
    for row in source:
        rows.append(row)
        room -= _size(row)
        if len(rows) == window or room <= 0:
            break
    return rows


def _size(row: Any) -> int:
    """Return the characters of something that may be a row."""
    if isinstance(row, Marked):
        return len(row.text)
    held = row.values() if isinstance(row, Mapping) else row if isinstance(row, tuple | list | Conversation) else (row,)
    return sum(len(part) for part in held if isinstance(part, str))
