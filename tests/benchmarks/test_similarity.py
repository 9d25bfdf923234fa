"""The benchmark of similarity draws the same questions each time, and its plain loop computes what backends do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import similarity


def test_the_same_questions_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "QUESTIONS", 5)
    source = tmp_path / "all.jsonl"
    source.write_text("".join(json.dumps({"question": f"q {n // 2}", "answer": f"答 {n}", "intent": "x"}) + "\n"
                              for n in range(40)), encoding="utf-8")
    first, again = (similarity.drawn(source, tmp_path / name).read_text(encoding="utf-8") for name in ("a", "b"))
    assert first == again
    rows = [json.loads(line) for line in first.splitlines()]
    assert len(rows) == 10
    assert len({row["question"] for row in rows}) == 5
    assert set(rows[0]) == {"question", "answer"}
