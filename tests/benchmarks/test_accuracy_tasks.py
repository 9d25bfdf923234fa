"""The benchmark of the tasks: rows, scores, the page; and the whole command on a tiny model."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import accuracy
from benchmarks.accuracy_tasks import Options, families, load, measure, publish, sections
from benchmarks.tasks import answers, entities, relations
from benchmarks.tasks.answers import plain
from benchmarks.tasks.family import Bench, Limits, held_out, sampled, seeded
from benchmarks.tasks.relations import plain as relations_plain
from luthier.errors import DataError

CITIES, PEOPLE = ("Paris", "Oslo", "Rome"), ("Ann", "Bob", "Eve")


def sentences(count: int, seed: int) -> str:
    chooser = random.Random(seed)
    rows = []
    for number in range(count):
        who, where = chooser.choice(PEOPLE), chooser.choice(CITIES)
        rows.append("".join(f"{word}\t{tag}\n" for word, tag in (
            (who, "B-PER"), ("was", "O"), ("in", "O"), (where, "B-LOC"), (f"{seed}{number}", "O"))))
    return "\n".join(rows)


def questions(count: int) -> str:
    rows = []
    for number in range(count):
        who = PEOPLE[number % 3]
        context = f"In the year {number} it was {who} who won. The others lost all they had."
        rows.append({"id": str(number), "title": f"article {number // 2}", "question": f"Who won {number}?",
                     "context": context, "answers": [{"text": who, "start": context.index(who)}]})
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.conll").write_text(sentences(60, 1), encoding="utf-8")
    (folder / "test.conll").write_text(sentences(12, 2), encoding="utf-8")
    (folder / "questions.jsonl").write_text(questions(60), encoding="utf-8")
    (folder / "pairs.jsonl").write_text(pairs(60), encoding="utf-8")
    return folder


def pairs(count: int) -> str:
    rows = []
    for number in range(count):
        who, where = PEOPLE[number % 3], CITIES[number % 2]
        label = "Lives(e1,e2)" if number % 2 else "Lives(e2,e1)"
        text = f"{who} lives in {where} {number}" if number % 2 else f"{where} is where {who} lives {number}"
        first, second = (who, where) if number % 2 else (where, who)
        rows.append({"text": text, "label": label, **{
            f"{side}_span": [text.index(word), text.index(word) + len(word)]
            for side, word in (("head", first), ("tail", second))}})
    return "".join(json.dumps(row) + "\n" for row in rows)


def toys(model: str) -> dict[str, Bench]:
    shared: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 8, "max_length": 48}
    return {"entities": Bench("Toy names", model, {"train": ("train.conll",), "test": ("test.conll",)}, **shared),
            "relations": Bench("Toy pairs", model, {"train": ("pairs.jsonl",), "test": ("pairs.jsonl",)}, **shared),
            "answers": Bench("Toy questions", model, {"train": ("questions.jsonl",)}, **shared)}


def test_what_has_no_file_is_held_out_of_train_in_whole_articles(data: Path, tmp_path: Path) -> None:
    prepared = answers.prepare(toys("-")["answers"], data, tmp_path, Limits())
    titles = {name: {row["title"] for row in answers.read_questions(Path(file))}
              for name, file in prepared.files.items()}
    assert sum(map(len, titles.values())) == len(set().union(*titles.values())) == 30
    assert prepared.sizes == {"train": 48, "valid": 6, "test": 6}
    again = answers.prepare(toys("-")["answers"], data, tmp_path, Limits(10, 4))
    assert again.sizes == {"train": 10, "valid": 4, "test": 4}


def test_several_tests_stand_in_one_file_and_are_scored_apart(data: Path, tmp_path: Path) -> None:
    bench = replace(toys("-")["answers"], files={"train": ("questions.jsonl",), "a": ("questions.jsonl",),
                                                 "b": ("questions.jsonl",)})
    prepared = answers.prepare(bench, data, tmp_path, Limits(None, 6))
    assert prepared.sizes["test"] == 12
    right = [row["answers"][0]["text"] for _, row in prepared.truth]
    found = answers.score(prepared, {"answers": [*right[:6], *["nobody"] * 6]})
    assert found == {"a": {"f1": 1.0, "exact_match": 1.0}, "b": {"f1": 0.0, "exact_match": 0.0}}


def test_perfect_entities_score_one(data: Path, tmp_path: Path) -> None:
    prepared = entities.prepare(toys("-")["entities"], data, tmp_path, Limits())
    assert prepared.labels == ("LOC", "PER")
    gold = [entities.spans_of(row) for row in prepared.truth]
    assert entities.score(prepared, {"spans": gold})["test"]["entity_f1"] == 1.0
    half = entities.score(prepared, {"spans": [row[:1] for row in gold]})["test"]
    assert (half["precision"], half["recall"]) == (1.0, 0.5)
    assert 0.5 < half["token_f1"] < 1.0


def test_relations_are_scored_as_the_official_script_does() -> None:
    said = [("A(e1,e2)", "A(e1,e2)"), ("A(e1,e2)", "A(e2,e1)"), ("B(e1,e2)", "Other"), ("Other", "B(e2,e1)"),
            ("B(e2,e1)", "B(e2,e1)")]
    # A: 1 right of 2 and of 2. B: 1 right of 2 and of 2 said.
    assert relations.official(said) == pytest.approx((0.5 + 0.5) / 2)
    row = {"text": "a b c", "head": {"start": 4, "end": 5}, "tail": {"start": 0, "end": 1}}
    assert relations_plain.marked(row) == " <e2> a </e2>  b  <e1> c </e1> "


def test_the_script_finds_the_answer_that_it_learned() -> None:
    context = "In the year 3 it was Bob who won."
    rows = [{"context": context, "answers": [{"text": "Bob", "start": context.index("Bob")}]}]
    offsets = [None, *[(place, place + len(word)) for word in context.split() for place in [context.index(word)]]]
    first, last = plain.positions(rows[0]["answers"], offsets)
    starts, ends = [0.0] * len(offsets), [0.0] * len(offsets)
    starts[first], ends[last] = 5.0, 5.0
    assert plain.read_off(rows, [{"row": 0, "offsets": offsets}], [(starts, ends)]) == ["Bob"]
    assert plain.positions(rows[0]["answers"], offsets[:6]) == (0, 0)


def test_a_missing_file_and_too_few_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file .*squad"):
        answers.prepare(answers.SETS["squad"], tmp_path, tmp_path, Limits())
    with pytest.raises(DataError, match="a split has no row"):
        held_out([1, 2], ["same", "same"], 0.5, seeded("x"))
    assert sampled([1, 2, 3], 2, seeded("x")) == sampled([1, 2, 3], 2, seeded("x"))


def test_every_family_has_sets_and_a_quick_one() -> None:
    for name, family in families():
        assert family.TITLE
        assert any(bench.quick for bench in family.SETS.values()), name
        assert family.METRICS


def test_a_suite_refuses_what_it_decides_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        accuracy.main(["--data", ".", "--suite", "quick", "--rows", "5"])
    assert "--suite decides" in capsys.readouterr().err


@pytest.mark.slow
def test_both_sides_run_and_the_page_has_their_figures(data: Path, tmp_path: Path, tiny_model: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Benchmarks\n", encoding="utf-8")
    options = Options(data, threads=1, json=tmp_path / "build" / "tasks.json")
    results: dict[str, Any] = {}
    for family, bench in toys(str(tiny_model)).items():
        measure("toy", family, bench, options, results)
    assert load(options.json) == results
    for told in results.values():
        assert set(told["sides"]) == {"luthier", "plain"}
        for side in told["sides"].values():
            assert 0 < side["tuning_seconds"] < side["wall_seconds"]
            assert side["rows_per_second"] > 0
            assert "spans" not in side
    publish(results, page)
    text = page.read_text(encoding="utf-8")
    assert text.count("## ") == 3
    assert "| Toy names | tiny | 1 | 54 |" in text
    publish(results, page)
    assert page.read_text(encoding="utf-8") == text
    before = json.dumps(results)
    measure("toy", "entities", toys(str(tiny_model))["entities"], options, results)  # nothing is run again
    assert json.dumps(results) == before
    assert set(sections(results)) == set(toys("-"))
