"""All tasks in one run: what is in a suite, in which order, and that one failure stops nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import accuracy, accuracy_tasks, suite
from benchmarks._sets import SETS
from benchmarks.tasks.family import Limits
from benchmarks.tasks.page import Results
from luthier.errors import DataError

KNOWN = accuracy_tasks.sets()


def steps(name: str, rows: int | None = None, results: Results | None = None) -> list[suite.Step]:
    options = accuracy_tasks.Options(Path("d"), limits=Limits(rows, rows))
    return suite.task_steps(name, options, {} if results is None else results, KNOWN)


def test_the_full_suite_has_all_and_the_quick_one_most_families_within_its_budget() -> None:
    assert tuple(step.name for step in steps("full")) == suite.ORDER
    quick = [step.name for step in steps("quick")]
    assert {KNOWN[name][0] for name in quick} == set(accuracy_tasks.FAMILIES) - {"triples", "reranking", "modelling"}
    classification = [minutes[0] for minutes in suite.CLASSIFICATION.values()]
    assert sum(step.minutes for step in steps("quick")) + sum(classification) <= 30
    assert set(suite.CLASSIFICATION) == set(SETS)


def test_rows_of_the_quick_suite_are_those_of_the_sets_or_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}

    def measure(name: str, _family: str, _bench: Any, options: accuracy_tasks.Options, _results: Results) -> None:
        found[name] = options.limits

    monkeypatch.setattr(accuracy_tasks, "measure", measure)
    for rows in (None, 64):
        for step in steps("quick", rows):
            step.run()
        for name, limits in found.items():
            train, test = KNOWN[name][1].quick or (0, 0)
            assert limits == (Limits(train, test) if rows is None else Limits(min(64, train), min(64, test)))
    for step in steps("full"):
        step.run()
    assert found["conll2003"] == Limits()


def test_a_step_that_fails_stops_no_other_and_the_rest_is_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def fail() -> None:
        raise DataError("no rows", "bring some")

    left = suite.carry_out([suite.Step("one", 2, fail), suite.Step("two", 4, lambda: done.append("two"))], 1,
                           lambda: done.append("page"))
    told = capsys.readouterr()
    assert left == 1
    assert done == ["page", "two", "page"]
    assert "about 6 minutes on two idle cores: one 2, two 4" in told.out
    assert "[1 of 2] one: 0.0 minutes so far, about 0 minutes left" in told.out
    assert "failed: one; the same command tries them again" in told.out
    assert "error: one: no rows" in told.err


def test_a_suite_decides_its_data_sets_and_a_trial_has_files_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        accuracy.main(["--data", ".", "--suite", "quick", "--only", "sst2"])
    assert "--suite decides" in capsys.readouterr().err
    assert suite.results_file("quick", "tasks", None) == Path("build/suite-quick-tasks.json")
    assert suite.results_file("quick", "tasks", 64) == Path("build/suite-quick-64-rows-tasks.json")
    assert accuracy.parse(["--data", "d", "--suite", "quick"], SETS).out is None
    assert accuracy.parse(["--data", "d", "--suite", "full"], SETS).out == accuracy.PAGE


def test_the_suite_without_data_tells_every_failure(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    assert accuracy.main(["--data", str(tmp_path), "--suite", "quick", "--threads", "1", "--out", str(page)]) == 1
    told = capsys.readouterr()
    classification = [name for name, (minutes, _) in suite.CLASSIFICATION.items() if minutes]
    assert told.err.count("error: ") == len(steps("quick")) + len(classification)
    assert "no sst2/train.jsonl in" in told.err
    assert "failed: conll2003, cluener" in told.out
    assert "<!--" not in page.read_text(encoding="utf-8")
