"""What a finished run says against itself."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import luthier
from luthier.bundle import read_manifest
from luthier.cli import app
from luthier.evaluation import Report, evaluate, write_report
from luthier.pipeline.assembling import _warnings
from luthier.pipeline.using import _doubts, _known
from luthier.recipe import EvaluationSettings
from luthier.schema import Example, LabelSet, Prediction, TextInput

LABELS = LabelSet(("a", "b", "c"))
ROWS = [Example(str(n), f"text {n}", labels=("abc"[n % 3],)) for n in range(12)]


class Answers:
    """Gives each row one of the labels it knows, in turn."""

    def __init__(self, known: str) -> None:
        self._known = known

    def predict(self, texts: Sequence[TextInput]) -> list[Prediction]:
        given = [self._known[n % len(self._known)] for n in range(len(texts))]
        return [Prediction((name,), LABELS.names, np.eye(3, dtype=np.float32)[LABELS.index(name)]) for name in given]


def warnings_of(known: str) -> str:
    tuned = evaluate(Answers(known), ROWS, LABELS, EvaluationSettings(bootstrap=100))
    done = SimpleNamespace(fitted=SimpleNamespace(warnings=("the loop's own",)),
                           loaded=SimpleNamespace(dataset=SimpleNamespace(labels=LABELS)))
    return " | ".join(_warnings(done, {"tuned": tuned}))


def test_labels_that_are_never_answered_are_named() -> None:
    assert warnings_of("ab") == "the loop's own | never answered on the test rows: c (4 rows)"


def test_one_answer_to_every_row_is_named() -> None:
    assert "the tuned model answers 'b' to every test row" in warnings_of("b")


def test_a_model_that_answers_all_labels_gets_no_warning_of_its_own() -> None:
    assert warnings_of("abc") == "the loop's own"


def doubts_of(known: str, rows: Sequence[Example]) -> list[str]:
    return _doubts(evaluate(Answers(known), rows, LABELS, EvaluationSettings(bootstrap=100)))


def test_a_file_may_tell_that_a_bundle_learned_nothing() -> None:
    assert "answers 'b' to every test row" in doubts_of("b", ROWS)[0]
    assert doubts_of("b", ROWS[:9]) == []  # of too few rows nothing is said
    assert doubts_of("b", [row for row in ROWS * 4 if row.labels == ("b",)]) == []  # and nothing of right answers


def test_warnings_are_said_in_both_languages_on_the_page(tmp_path: Path) -> None:
    scored = evaluate(Answers("b"), ROWS, LABELS, EvaluationSettings(bootstrap=100))
    warnings = [*_doubts(scored), *_known({"train": 3, "valid": 2}, 12), "<another one>"]
    write_report(tmp_path, Report("rows", {"tuned": scored}, warnings=warnings))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for said in ("微调后的模型对每个测试行都回答“b”", "在测试行中从未给出：a（4 行）、c（4 行）",
                 "12 行中有 5 行（或与之几乎相同的行）出现在训练数据中（3 行参与了训练、2 行用于选择最佳步数）"):
        assert f'<span class="zh" lang="zh">{said}' in page
    assert "(3 were learned from, 2 chose the best step)" in page
    assert '<li class="bad">&lt;another one&gt;</li>' in page
    assert json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["warnings"] == warnings


@pytest.mark.slow
def test_a_run_that_learned_nothing_says_so_in_terminal_report_and_bundle(
        tiny_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ("train.learning_rate=1e-9", "train.num_train_epochs=1", "train.precision=fp32",
                "evaluation.bootstrap=100", "prepare.deduplicate=false")
    told = CliRunner().invoke(app, ["train", str(tiny_csv), "--model", str(tiny_model), "--out", str(out), *settings])
    assert told.exit_code == 0, told.output
    warnings = read_manifest(out).warnings
    assert any("nothing was learned" in warning for warning in warnings), warnings
    page, card = ((out / name).read_text(encoding="utf-8") for name in ("report/index.html", "README.md"))
    events = [json.loads(line) for line in (out / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    for warning in warnings:
        assert warning in told.output.replace("\n", " ")
        assert html.escape(warning, quote=True) in page
        assert f"> **Warning:** {warning}" in card
        assert warning in [event["text"] for event in events if event["event"] == "warning"]
    again = CliRunner().invoke(app, ["evaluate", str(out), str(tiny_csv)])
    assert f"from its tuning: {warnings[0]}" in again.output.replace("\n", " ")
    texts = [line.rsplit(",", 1)[0] for line in tiny_csv.read_text(encoding="utf-8").splitlines()[1:]]
    answers = luthier.load(out, backend="torch").predict(texts)
    alike = [text for text, answer in zip(texts, answers, strict=True) if answer.label == "negative"][:12]
    rows = "".join(f"{text},{'positive' if place % 2 else 'negative'}\n" for place, text in enumerate(alike))
    (tmp_path / "alike.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    again = CliRunner().invoke(app, ["evaluate", str(out), str(tmp_path / "alike.csv")])
    assert "warning: the tuned model answers 'negative' to every test row" in again.output.replace("\n", " ")
