from __future__ import annotations

import json
from pathlib import Path

from luthier.tuning import Events, read_events


class Listener:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.closed = False

    def __call__(self, event: object) -> None:
        self.seen.append(event["event"])  # type: ignore[index]

    def close(self) -> None:
        self.closed = True


def test_lines_and_listeners_get_every_event(tmp_path: Path) -> None:
    listener = Listener()
    with Events(tmp_path / "run" / "events.jsonl", [listener, lambda _: None]) as events:
        events.emit("note", text="心情\u2028很好")
        events.emit("step", step=1, loss=0.1 + 0.2)
    assert listener.seen == ["note", "step"]
    assert listener.closed
    first, second = read_events(tmp_path / "run" / "events.jsonl")
    assert first["text"] == "心情\u2028很好"
    assert second["loss"] == 0.1 + 0.2
    assert "time" in second


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
    Events(path).emit("run_started")
    assert [event["event"] for event in read_events(path)] == ["run_started"]


def test_a_resumed_run_writes_nothing_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl")
    with path.open("a") as file:
        file.write('{"event": "step", "step": 4, "lo')  # cut short by a kill
    events = Events(path, resume=True)
    assert [event.get("step") for event in read_events(path)] == [1, 2, 3]
    events.truncate_after(2)
    events.emit("step", step=3)
    assert [event["step"] for event in read_events(path)] == [1, 2, 3]
    assert all(json.loads(line) for line in path.read_text().splitlines())
