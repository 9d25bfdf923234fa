"""The demo on a file of one's own: whatever its rows are labelled with, the server is asked and its answers told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from luthier.cli import app
from luthier.cli.demo import _said, _sent
from luthier.schema import Argument, Conversation, Marked, Turn


def test_rows_are_sent_in_the_form_that_the_server_takes() -> None:
    assert _sent("a text") == "a text"
    assert _sent(("one", "other")) == ["one", "other"]
    assert _sent(Conversation((Turn("user", "hi"),))) == [{"role": "user", "content": "hi"}]
    assert _sent(Marked("a b", Argument(0, 1), Argument(2, 3)))["head"]["end"] == 1


def test_answers_without_a_label_are_told_as_they_come() -> None:
    assert _said({"label": "good", "labels": ["good"], "score": 0.5}) == "good  0.500"
    assert _said({"label": "", "labels": [], "score": 0.25}) == "(no label)  0.250"
    assert json.loads(_said({"score": 4.25, "grade": 4})) == {"score": 4.25, "grade": 4}
    assert _said({"vector": list(range(999))}).endswith("…")
    assert len(_said({"vector": list(range(999))})) == 200


@pytest.mark.slow
def test_a_file_of_another_task_is_tuned_and_asked(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,score\n" + "".join(f"number {n},{n}.5\n" for n in range(24)), encoding="utf-8")
    done = CliRunner().invoke(app, ["demo", "--data", str(path), "--model", str(tiny_model), "--out",
                                    str(tmp_path / "out"), "--port", "0"])
    assert done.exit_code == 0, done.output
    answers = [line for line in done.output.splitlines() if "  ->  {" in line]
    assert len(answers) == 3
    assert all('"score": ' in line for line in answers)
