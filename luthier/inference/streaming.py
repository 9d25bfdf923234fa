"""Any number of rows through a predictor, in order, while two windows of them are held and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.errors import DataError
from luthier.inference.writing import writes
from luthier.schema import Candidates, Conversation, Marked, TextInput

if TYPE_CHECKING:
    from luthier.inference.predictor import Predictor
    from luthier.models.encoding import Ragged

WINDOW = 4096
"""Rows that ``stream`` holds at once (twice: one window is computed while the next is read and encoded)."""

WRITTEN = 256
"""Rows that it holds at once where texts are written, which takes so long that the first are wanted early."""

CHARACTERS = 1 << 22
"""Characters that it holds at once, about, at eight outputs a token: the logits of windows take room."""


OnBad = Callable[[int, DataError], None]
"""Told the number of a row that cannot be used, and why."""


def stream(predictor: Predictor, rows: Iterable[TextInput], *, window: int, on_bad: OnBad | None) -> Iterator[Any]:
    """Yield one answer a row; see ``Predictor.stream``."""
    if window < 1:
        raise ValueError(f"window must be 1 or more, got {window}")
    source = iter(rows)
    with ThreadPoolExecutor(1, thread_name_prefix="luthier-encode") as encoding:
        window = min(window, WRITTEN) if writes(predictor.task) else window
        done, room = 0, CHARACTERS * 8 // max(8, len(predictor.task.outputs(predictor.labels)))
        ahead: Future[_Read] | None = None
        while True:
            part = _next(source, window, room)
            if on_bad is None:
                part = list(predictor.checked(part, first=done))
            read = _read_sound if on_bad else _read
            current, ahead = ahead, encoding.submit(read, predictor, part, done) if part else None
            done += len(part)
            if current is not None:
                found = current.result()
                for number, error in found.bad:
                    if on_bad is not None:
                        on_bad(number, error)
                yield from predictor.answers(found.ragged, found.texts)
            if ahead is None:
                return


@dataclass(frozen=True, slots=True)
class _Read:
    """A window of rows, encoded."""

    texts: Sequence[TextInput]
    """N rows that can be answered."""
    ragged: Ragged
    """They as token ids."""
    bad: Sequence[tuple[int, DataError]] = ()
    """Numbers of the others, and why."""


def _read(predictor: Predictor, rows: Sequence[Any], first: int) -> _Read:
    """Encode a window whose rows are checked already."""
    return _Read(rows, predictor.encode(rows, first))


def _read_sound(predictor: Predictor, rows: Sequence[Any], first: int) -> _Read:
    """Encode what can be encoded of a window, and say what cannot: where one row fails, each is tried alone."""
    with suppress(DataError):
        return _read(predictor, predictor.checked(rows), first)
    bad = unreadable(predictor, rows, first)
    out = {number for number, _ in bad}
    sound = list(predictor.checked([row for number, row in enumerate(rows, first) if number not in out]))
    return _Read(sound, predictor.encode(sound, first), bad)


def unreadable(predictor: Predictor, rows: Sequence[Any], first: int = 0) -> list[tuple[int, DataError]]:
    """Return the numbers of the rows that cannot be answered, counted from ``first``, and why; each is tried alone."""
    bad = []
    for number, row in enumerate(rows, first):
        try:
            predictor.encode(predictor.checked([row], first=number), number)
        except DataError as error:
            bad.append((number, error))
    return bad


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
    """Return the characters of something that may be a row, those of passages and messages within it too."""
    if isinstance(row, Marked):
        return len(row.text)
    if isinstance(row, str):
        return len(row)
    several = isinstance(row, tuple | list | Conversation | Candidates)
    return sum(map(_size, row.values() if isinstance(row, Mapping) else row if several else ()))
