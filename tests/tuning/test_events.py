from __future__ import annotations

import json
from pathlib import Path

import pytest

from luthier.errors import TuningError
from luthier.tuning import Events, read_events


class Listener:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.closed = False

    def __call__(self, event: object) -> None:
        self.seen.append(event["event"])  # type: ignore[index]

    def close(self, failed: bool) -> None:
        self.closed = True
        self.failed = failed


def test_lines_and_listeners_get_every_event(tmp_path: Path) -> None:
    listener = Listener()
    with Events(tmp_path / "run" / "events.jsonl", [listener, lambda _: None]) as events:
        events.emit("note", text="心情\u2028很好")
        events.emit("step", step=1, loss=0.1 + 0.2)
    assert listener.seen == ["note", "step"]
    assert listener.closed
    assert not listener.failed
    first, second = read_events(tmp_path / "run" / "events.jsonl")
    assert first["text"] == "心情\u2028很好"
    assert second["loss"] == 0.1 + 0.2
    assert "time" in second


def test_what_a_listener_raises_at_the_end_hides_no_error_of_the_run() -> None:
    class Broken(Listener):
        def close(self, failed: bool) -> None:
            super().close(failed)
            raise OSError("the network is down")

    one, other = Broken(), Listener()
    with pytest.raises(ValueError, match="the loss is nan") as caught, Events(None, [other, one]):
        raise ValueError("the loss is nan")
    assert "the network is down" in caught.value.__notes__[0]
    assert one.failed
    assert other.failed
    with pytest.raises(OSError, match="network"), Events(None, [other, one]):
        pass
    assert not other.failed


def test_without_a_path_only_listeners_hear() -> None:
    listener = Listener()
    events = Events(None, [listener])
    events.emit("note")
    events.truncate_after(0)
    assert listener.seen == ["note"]


def written(path: Path) -> Path:
    with Events(path) as events:
        events.emit("run_started")
        for step in (1, 2, 3):
            events.emit("step", step=step)
        events.emit("run_finished", steps=3)
    return path


def test_a_new_run_starts_a_new_file(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl")
    Events.open(path, resume=False).emit("run_started")
    assert [event["event"] for event in read_events(path)] == ["run_started"]


def test_a_damaged_line_stops_who_resumes_and_nobody_else(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl")
    path.write_bytes(path.read_bytes().replace(b"run_started", b"\0" * 11))
    with pytest.raises(TuningError, match=r"line 1 is damaged\n  -> start anew with --restart"):
        Events.open(path, resume=True)
    Events.open(path, resume=False).emit("run_started")
    assert len(read_events(path)) == 1


def test_a_resumed_run_writes_nothing_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl")
    with path.open("a") as file:
        file.write('{"event": "step", "step": 4, "lo')  # cut short by a kill
    events = Events.open(path, resume=True)
    assert [event.get("step") for event in read_events(path)] == [1, 2, 3]
    events.truncate_after(2)
    events.emit("step", step=3)
    assert [event["step"] for event in read_events(path)] == [1, 2, 3]
    assert all(json.loads(line) for line in path.read_text().splitlines())
