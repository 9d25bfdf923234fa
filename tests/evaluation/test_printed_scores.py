"""What the command line prints of scores, for entities and for classes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from fakes import report
from span_fakes import span_report

from luthier.cli._show import print_evaluation, print_scores
from luthier.evaluation import write_report


def run(made):
    scores = {"systems": {name: system.to_dict() for name, system in made.systems.items()}, "verdicts": ["a verdict"]}
    return SimpleNamespace(scores=scores, warnings=("a warning",),
                           recipe=SimpleNamespace(evaluation=SimpleNamespace(confidence=0.95)))


def test_a_run_on_entities(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    made = span_report(80)
    print_scores(run(made))
    printed = capsys.readouterr().out
    for words in ("entity F1 [95 %]", "precision", "recall", "on 80 test rows", "a verdict", "a warning",
                  "baseline (dictionary)", "type", "entities", "PER"):
        assert words in printed, words
    interval = made.systems["tuned"].intervals.metrics["f1_micro"]
    assert f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]" in printed
    print_evaluation(made.systems["tuned"])
    assert f"entity F1 {interval.value:.4f} [" in capsys.readouterr().out


def test_a_model_with_a_new_head_is_called_so_and_another_is_not(capsys, tmp_path):
    for new, printed, said in ((True, "untuned (new head)  ", "its new head still untrained"),
                               (False, "untuned  ", "the same model before tuning")):
        made = report()
        systems = {**made.systems, "untuned": replace(made.systems["untuned"], new_head=new)}
        print_scores(run(replace(made, systems=systems)))
        assert printed in capsys.readouterr().out
        write_report(tmp_path / str(new), replace(made, systems=systems))
        assert said in (tmp_path / str(new) / "index.html").read_text(encoding="utf-8")


def test_a_run_on_classes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    made = report()
    print_scores(run(made))
    printed = capsys.readouterr().out
    assert "accuracy [95 %]" in printed
    assert "baseline (TF-IDF)" in printed
    assert "entity" not in printed
    print_evaluation(made.systems["tuned"])
    assert "macro F1" in capsys.readouterr().out
