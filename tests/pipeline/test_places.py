"""Where results go: refused before any work when they could not be written, never in place of something whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from luthier.errors import BundleError, DataError, TuningError
from luthier.pipeline import make_recipe, run
from luthier.pipeline.files import check_directory, check_output, whole_file
from luthier.pipeline.workplace import workplace
from luthier.tuning import Events, read_events


def refusal(out: Path) -> str:
    with pytest.raises((TuningError, BundleError)) as caught, workplace(out, resume=False, restart=False):
        raise AssertionError("a run began")
    assert caught.value.fix
    return str(caught.value)


def test_a_run_inside_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text")
    assert "Not a directory" in refusal(tmp_path / "rows.csv" / "out")


def test_the_steps_of_a_run_that_failed_are_kept(tmp_path: Path) -> None:
    def fail(out: Path, *events: str) -> Path:
        def begin() -> None:
            with workplace(out, resume=False, restart=False) as place:
                stream = Events.open(place.events, resume=False)
                for number, event in enumerate(events):
                    stream.emit(event, step=number)
                raise ValueError("the loss is nan")

        with pytest.raises(ValueError, match="nan"):
            begin()
        return out.with_name(f"{out.name}.run") / "events.jsonl"

    assert not fail(tmp_path / "early", "note").parent.exists()
    kept = fail(tmp_path / "late", "note", "step", "step")
    assert [event["event"] for event in read_events(kept)] == ["note", "step", "step"]
    assert [event["event"] for event in read_events(fail(tmp_path / "late", "step"))] == ["step"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    assert "File name too long" in refusal(tmp_path / ("a" * 300))
    assert "File name too long" in refusal(tmp_path / ("a" * 253))  # the run's own directory has a longer name


def test_the_directory_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is the directory you are in" in refusal(Path())
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_a_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.run").mkdir()
    (tmp_path / "out.run" / "thesis.txt").write_text("years of work")
    assert "holds files that no run put there, such as thesis.txt" in refusal(tmp_path / "out")
    assert (tmp_path / "out.run" / "thesis.txt").read_text() == "years of work"


def test_a_home_directory_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with workplace(Path("~/out"), resume=False, restart=False) as place:
        assert place.path == tmp_path / "out.run"


def test_an_output_that_could_not_be_written(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("text")
    (tmp_path / "link.csv").symlink_to(source)
    for path, message in (
        (tmp_path, "is a directory"), (Path("/dev/null"), "is a device or a pipe"),
        (source, "is the file that is read"),
        (tmp_path / "link.csv", "is the file that is read"), (source / "x.csv", "Not a directory"),
        (tmp_path / ("a" * 300), "File name too long"),
    ):
        with pytest.raises(DataError, match=message):
            check_output(path, source)
    check_output(tmp_path / "new" / "deep" / "x.csv", source)
    assert not (tmp_path / "new").exists()


def test_a_place_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The answer that the system gives anybody but root, who may write anywhere.
    monkeypatch.setattr(os, "access", lambda place, wanted: not (place == tmp_path and wanted & os.W_OK))
    with pytest.raises(DataError, match="this user may not write in"):
        check_directory(tmp_path / "report")


def test_a_file_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with whole_file(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "out.jsonl") as file:
            file.write("new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "out.jsonl").write_text("old")
    with pytest.raises(DataError, match="the disk is full"):
        write()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.jsonl", "old")]


def test_a_name_that_the_system_refuses(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="File name too long"), whole_file(tmp_path / f"{'a' * 300}.jsonl") as file:
        file.write("text")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_that_there_is(tmp_path: Path) -> None:
    with whole_file(tmp_path / ("字" * 85)) as file:
        file.write("text")
    assert (tmp_path / ("字" * 85)).read_text() == "text"


@pytest.mark.slow
def test_a_resume_that_is_refused_does_not_spoil_the_next(tmp_path: Path, tiny_csv: Path, tiny_model: Path) -> None:
    recipe = make_recipe(tiny_csv, {"model": str(tiny_model), "out": str(tmp_path / "out"), "evaluation": {
        "baseline": False, "untuned": False, "bootstrap": 100}})

    def stop(event: Mapping[str, Any]) -> None:
        if event["event"] == "checkpoint" and event["step"] > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume"):
        run(recipe, progress=False, listeners=[stop])
    stored = (tmp_path / "out.run" / "recipe.yaml").read_text()
    with pytest.raises(TuningError, match="another recipe or other data"):
        run(recipe.override(seed=7), progress=False, resume=True)
    assert (tmp_path / "out.run" / "recipe.yaml").read_text() == stored
    assert run(make_recipe(tmp_path / "out.run" / "recipe.yaml", {}), progress=False, resume=True).path.is_dir()
