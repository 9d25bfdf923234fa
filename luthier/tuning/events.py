"""One stream of events a run: a JSONL file that the progress bar, the trackers and the report all read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from luthier.errors import TuningError

Event = Mapping[str, Any]
Listener = Callable[[Event], None]
"""Gets every event; may have a method ``close(failed: bool)``, called when the stream ends, and whether by an error."""


class Events:
    """Writes events as JSON lines and passes them on. Use it as a context manager.

    Every event has ``event``, its kind, and ``time``; those of the loop have the optimiser ``step`` they belong to.

    Args:
        path: the file, which is appended to; ``None`` writes nothing.
        listeners: who else gets each event.
    """

    def __init__(self, path: Path | None = None, listeners: Iterable[Listener] = ()) -> None:
        self.path = path
        self.listeners = tuple(listeners)

    @classmethod
    def open(cls, path: Path, listeners: Iterable[Listener] = (), *, resume: bool) -> Events:
        """Begin the stream of a run, and drop what an earlier one left in the file.

        Args:
            path: the file.
            listeners: who else gets each event.
            resume: keep the steps that stand in the file. What has no step goes: the resumed run says it again.

        Raises:
            TuningError: a run to be resumed has a damaged file.
        """
        events = cls(path, listeners)
        if resume:
            events._keep(lambda event: "step" in event)
        else:
            path.unlink(missing_ok=True)
        return events

    def __enter__(self) -> Events:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every listener that can be closed; what one of them raises hides no error of the run's own."""
        try:
            with ExitStack() as stack:
                for listener in self.listeners:
                    stack.callback(getattr(listener, "close", _nothing), kind is not None)
        except Exception as fault:
            if error is None:
                raise
            error.add_note(f"a listener could not be closed either: {fault}")

    def emit(self, kind: str, **fields: Any) -> None:
        """Append one event and tell the listeners.

        Floats keep every bit: JSON carries the shortest text that reads back to the same number.
        """
        event = {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Opened for each line: a killed run leaves whole lines, and no handle outlives a rewrite of the file.
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(event))
        for listener in self.listeners:
            listener(event)

    def truncate_after(self, step: int) -> None:
        """Drop what was written after a checkpoint's step, so that a resumed run writes no step twice."""
        self._keep(lambda event: event.get("step", 0) <= step)

    def _keep(self, wanted: Callable[[Event], bool]) -> None:
        """Rewrite the file with the events wanted; a last line that a kill cut short goes too."""
        if self.path is None or not self.path.exists():
            return
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        kept = [_line(event) for event in read_events(self.path) if wanted(event)]
        temporary.write_text("".join(kept), encoding="utf-8")
        os.replace(temporary, self.path)


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file in order; a last line that a kill cut short is left out.

    Raises:
        TuningError: another line is damaged.
    """
    *whole, _cut = path.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(whole, 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise TuningError(f"{path}: line {number} is damaged", "start anew with --restart") from None
    return found


def _nothing(_failed: bool) -> None:
    """Close what needs no closing."""


def _line(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False) + "\n"
