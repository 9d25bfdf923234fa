"""The benchmark of the tasks: rows, counts, the page; and both sides of every family on tiny models."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import accuracy_tasks
from benchmarks._job import Job
from benchmarks._results import Results
from benchmarks.accuracy_tasks import FAMILIES, Options, families, load, measure
from benchmarks.tasks import (
    answers,
    counts,
    entities,
    modelling,
    numbers,
    page,
    relations,
    reranking,
    retrieval,
    summaries,
    translation,
    triples,
)
from benchmarks.tasks._written import text_counts, text_figures, written_sorted
from benchmarks.tasks.answers import plain
from benchmarks.tasks.family import Bench, Limits, Prepared, held_out, read_lines, sampled, seeded
from benchmarks.tasks.modelling.speed import masked
from benchmarks.tasks.overview import overview
from benchmarks.tasks.relations import plain as relations_plain
from benchmarks.tasks.speed import in_batches, spread
from benchmarks.tasks.triples import plain as triples_plain
from luthier.errors import DataError, TuningError
from luthier.models import tiny_generators
from luthier.recipe import NEW_MODEL, NewModelSettings

CITIES, PEOPLE = ("Paris", "Oslo", "Rome"), ("Ann", "Bob", "Eve")
TEMPLATE = ("{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}"
            "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}")


def sentences(count: int, seed: int) -> str:
    chooser = random.Random(seed)
    rows = []
    for number in range(count):
        who, where = chooser.choice(PEOPLE), chooser.choice(CITIES)
        rows.append("".join(f"{word}\t{tag}\n" for word, tag in (
            (who, "B-PER"), ("was", "O"), ("in", "O"), (where, "B-LOC"), (f"{seed}{number}", "O"))))
    return "\n".join(rows)


def questions(number: int) -> dict[str, Any]:
    who = PEOPLE[number % 3]
    context = f"In the year {number} it was {who} who won. The others lost all they had."
    return {"id": str(number), "title": f"article {number // 2}", "question": f"Who won {number}?",
            "context": context, "answers": [{"text": who, "start": context.index(who)}]}


def pairs(number: int) -> dict[str, Any]:
    who, where = PEOPLE[number % 3], CITIES[number % 2]
    text = f"{who} lives in {where} {number}" if number % 2 else f"{where} is where {who} lives {number}"
    first, second = (who, where) if number % 2 else (where, who)
    return {"text": text, "label": "Lives(e1,e2)" if number % 2 else "Lives(e2,e1)", **{
        f"{side}_span": [text.index(word), text.index(word) + len(word)]
        for side, word in (("head", first), ("tail", second))}}


WRITERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "questions": questions,
    "pairs": pairs,
    "bank": lambda number: {"question": f"Who is {PEOPLE[number % 3]} {number // 2}?", "answer": f"Number {number}."},
    "grades": lambda number: {"text": f"{('awful', 'fine', 'great')[number % 3]} {number}",
                              "label": ("negative", "neutral", "positive")[number % 3]},
    "texts": lambda number: {"source": f"{PEOPLE[number % 3]} is in {CITIES[number % 2]}.",
                             "target": f"{CITIES[number % 2]}!"},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.conll").write_text(sentences(60, 1), encoding="utf-8")
    (folder / "test.conll").write_text(sentences(12, 2), encoding="utf-8")
    for name, write in WRITERS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(write(number)) + "\n" for number in range(60)),
                                              encoding="utf-8")
    return folder


def toys(model: str, writer: str = "-") -> dict[str, Bench]:
    shared: dict[str, Any] = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 8, "max_length": 48}
    three = dict.fromkeys(("train", "valid", "test"), ("texts.jsonl",))
    return {"entities": Bench("Toy names", model, {"train": ("train.conll",), "test": ("test.conll",)}, **shared),
            "relations": Bench("Toy pairs", model, {"train": ("pairs.jsonl",), "test": ("pairs.jsonl",)}, **shared),
            "answers": Bench("Toy questions", model, {"train": ("questions.jsonl",)}, **shared),
            "triples": Bench("Toy triples", model, {"train": ("pairs.jsonl",), "test": ("pairs.jsonl",)}, **shared),
            "retrieval": Bench("Toy bank", model, {"train": ("bank.jsonl",)}, **shared),
            "reranking": Bench("Toy bank", model, {"train": ("bank.jsonl",)}, **shared),
            "modelling": Bench("Toy texts", model, {"train": ("grades.jsonl",), "test": ("grades.jsonl",)}, **shared),
            "numbers": Bench("Toy grades", model, {"train": ("grades.jsonl",)}, **shared),
            "translation": Bench("Toy words", NEW_MODEL, three, test_rows=8, **shared),
            "summaries": Bench("Toy chats", writer, three, test_rows=4, **{**shared, "max_length": 128})}


# Rows

def test_what_has_no_file_is_held_out_of_train_in_whole_articles(data: Path, tmp_path: Path) -> None:
    prepared = answers.prepare(toys("-")["answers"], data, tmp_path, Limits())
    titles = {name: {row["title"] for row in answers.read_questions(Path(file))}
              for name, file in prepared.files.items()}
    assert sum(map(len, titles.values())) == len(set().union(*titles.values())) == 30
    assert prepared.sizes == {"train": 48, "valid": 6, "test": 6}
    again = answers.prepare(toys("-")["answers"], data, tmp_path, Limits(10, 4))
    assert again.sizes == {"train": 10, "valid": 4, "test": 4}


def test_several_tests_stand_in_one_file_and_are_scored_apart(data: Path, tmp_path: Path) -> None:
    bench = replace(toys("-")["answers"], files={"train": ("questions.jsonl",), "held out": (),
                                                 "other": ("questions.jsonl",)})
    prepared = answers.prepare(bench, data, tmp_path, Limits(None, 6))
    assert prepared.sizes == {"train": 48, "valid": 6, "test": 12}
    right = [row["answers"][0]["text"] for _, row in prepared.truth]
    found = answers.counts(prepared, {"answers": [*right[:6], *["nobody"] * 6]})
    assert page.scores_of(families()["answers"], {"rows": found})["held out"]["f1"].value == 1.0
    assert page.scores_of(families()["answers"], {"rows": found})["other"]["exact_match"].high == 0.0


def test_train_has_every_relation_of_the_data(data: Path, tmp_path: Path) -> None:
    prepared = relations.prepare(toys("-")["relations"], data, tmp_path, Limits(1, 4))
    assert prepared.labels == ("Lives(e1,e2)", "Lives(e2,e1)")
    assert {row["relation"] for row in read_lines(Path(prepared.files["train"]))} == set(prepared.labels)
    assert prepared.sizes["train"] == 2


def test_a_question_of_the_bank_stands_on_one_side_with_all_of_its_answers(data: Path, tmp_path: Path) -> None:
    prepared = retrieval.prepare(toys("-")["retrieval"], data, tmp_path, Limits())
    rows = {split: read_lines(Path(file)) for split, file in prepared.files.items()}
    asked = [row["query"].casefold() for part in rows.values() for row in part]
    assert len(asked) == len(set(asked)) == 60
    assert prepared.sizes == {"train": 42, "valid": 6, "test": 12}


def test_chats_are_conversations_and_captions_have_a_model_of_their_own(
        data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    prepared = summaries.prepare(toys("-", "-")["summaries"], data, first, Limits(5, 3))
    (row, *_) = read_lines(Path(prepared.files["test"]))
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert prepared.truth[0] == row["messages"][1]["content"]
    monkeypatch.setattr(translation, "NEW", NewModelSettings(vocab_size=300, width=16, layers=1, heads=2,
                                                             feed_forward=16, max_length=64))
    prepared = translation.prepare(toys("-")["translation"], data, second, Limits(5, 3))
    assert (Path(prepared.model or "") / "model.safetensors").is_file()
    assert prepared.sizes == {"train": 5, "valid": 3, "test": 3}


def test_a_missing_file_and_too_few_groups_are_refused(tmp_path: Path) -> None:
    for name, family in families().items():
        for bench in family.SETS.values():
            with pytest.raises(DataError, match="no file|no such|cannot"):
                family.prepare(bench, tmp_path / name, tmp_path, Limits())
    with pytest.raises(DataError, match="a split has no row"):
        held_out([1, 2], ["same", "same"], 0.5, seeded("x"))
    assert sampled([1, 2, 3], 2, seeded("x")) == sampled([1, 2, 3], 2, seeded("x"))


# Counts and figures

def value_of(family: str, rows: counts.Rows, metric: str) -> float:
    return page.scores_of(families()[family], {"rows": rows})["test"][metric].value


def test_perfect_entities_score_one(data: Path, tmp_path: Path) -> None:
    prepared = entities.prepare(toys("-")["entities"], data, tmp_path, Limits())
    assert prepared.labels == ("LOC", "PER")
    gold = [entities.spans_of(row) for row in prepared.truth]
    assert value_of("entities", entities.counts(prepared, {"spans": gold}), "entity_f1") == 1.0
    half = entities.counts(prepared, {"spans": [row[:1] for row in gold]})
    assert value_of("entities", half, "entity_f1") == pytest.approx(2 / 3)
    assert 0.5 < value_of("entities", half, "token_f1") < 1.0


def test_relations_are_scored_as_the_official_script_does() -> None:
    said = [("A(e1,e2)", "A(e1,e2)"), ("A(e1,e2)", "A(e2,e1)"), ("B(e1,e2)", "Other"), ("Other", "B(e2,e1)"),
            ("B(e2,e1)", "B(e2,e1)")]
    prepared = Prepared({}, {}, [{"relation": true} for true, _ in said], ("A(e1,e2)", "B(e1,e2)", "Other"))
    rows = relations.counts(prepared, {"labels": [one for _, one in said]})
    # A: 1 right of 2 and of 2. B: 1 right of 2 and of 2 said.
    assert value_of("relations", rows, "macro_f1") == pytest.approx((0.5 + 0.5) / 2)
    assert value_of("relations", rows, "accuracy") == pytest.approx(2 / 5)
    row = {"text": "a b c", "head": {"start": 4, "end": 5}, "tail": {"start": 0, "end": 1}}
    assert relations_plain.marked(row) == " <e2> a </e2>  b  <e1> c </e1> "


def test_numbers_are_scored_as_numpy_does() -> None:
    true, given = [-1, 0, 1, 1, 0], [-0.9, 0.2, 0.4, 3.0, 0.1]
    rows = numbers.counts(Prepared({}, {}, true), {"values": given})
    assert value_of("numbers", rows, "pearson") == pytest.approx(np.corrcoef(true, given)[0, 1])
    assert value_of("numbers", rows, "accuracy") == pytest.approx(4 / 5)
    same = numbers.counts(Prepared({}, {}, true), {"values": [0.5] * 5})
    assert value_of("numbers", same, "pearson") == 0.0


def test_texts_are_scored_as_sacrebleu_does() -> None:
    import sacrebleu

    given, right = ["the cat sat on the mat", "a dog"], ["the cat sat on a mat", "a dog barks"]
    figures = text_figures(np.array(text_counts(given, right)["test"]).sum(0, keepdims=True))
    assert figures["bleu"][0] == pytest.approx(sacrebleu.corpus_bleu(given, [right]).score / 100)
    assert figures["chrf"][0] == pytest.approx(sacrebleu.corpus_chrf(given, [right]).score / 100)
    assert 0 < figures["rouge2"][0] < figures["rouge1"][0] < 1


def test_answers_of_questions_are_ranked_by_their_vectors() -> None:
    rows = [{"query": "a", "pos": ["one", "two"]}, {"query": "b", "pos": ["three"]}]
    assert retrieval.passages_of(rows) == ["one", "two", "three"]
    found = retrieval.ranked(np.eye(2, dtype=np.float32), np.array([[3, 1], [1, 2], [2, 3]], np.float32), rows)
    assert found == [[1, 3], [1]]
    scored = retrieval.counts(Prepared({}, {}, None), {"ranks": found})
    assert value_of("retrieval", scored, "recall@1") == pytest.approx((0.5 + 1) / 2)


def test_a_question_is_asked_with_the_passages_that_are_most_like_it(data: Path, tmp_path: Path) -> None:
    prepared = reranking.prepare(toys("-")["reranking"], data, tmp_path, Limits())
    rows = {split: read_lines(Path(file)) for split, file in prepared.files.items()}
    assert {len(row["neg"]) for row in rows["train"]} == {reranking.NEGATIVES}
    for part in rows.values():
        own = set(retrieval.passages_of(part))
        assert all({*row["pos"], *row["neg"]} <= own and not {*row["pos"]} & {*row["neg"]} for row in part)
    found = reranking.nearest([{"query": "red fox", "pos": ["it is"]}, {"query": "?", "pos": ["a fox is red", "a dog"]},
                               {"query": "Red Fox!", "pos": ["It is."]}])
    assert found == [["a fox is red", "a dog"], ["it is", "It is."], ["a fox is red", "a dog"]]
    perfect = [[number for number, text in sorted(enumerate(reranking.passages_of(row)), key=lambda one, row=row: (
        one[1] not in row["pos"]))] for row in prepared.truth]
    assert value_of("reranking", reranking.counts(prepared, {"orders": perfect}), "mrr@10") == 1.0
    wrong = [order[::-1] for order in perfect]
    assert value_of("reranking", reranking.counts(prepared, {"orders": wrong}), "recall@1") == 0.0


def test_triples_are_right_in_every_part_and_become_pairs_again(data: Path, tmp_path: Path) -> None:
    prepared = triples.prepare(toys("-")["triples"], data, tmp_path, Limits())
    row = prepared.truth[0]
    words = triples_plain.sentence(row)
    assert [words.words[number] for number, tag in enumerate(words.tags) if tag != "O"] == ["Paris", "Ann"]
    assert triples.apart(row) == {"text": row["text"], "head": {"start": 0, "end": 5}, "relation": "Lives(e2,e1)",
                                  "tail": {"start": 15, "end": 18}}
    assert triples.joint({**triples.apart(row), "relation": "Other"})["relations"] == []
    assert triples.apart({**row, "relations": []})["relation"] == "Other"
    entities_of = [[[one["start"], one["end"]] for one in row["entities"]] for row in prepared.truth]
    turned = [{"entities": own, "triples": [[*own[0], *own[1], "Lives"]]} for own in entities_of]
    rows = triples.counts(prepared, {"found": turned})
    assert value_of("triples", rows, "entity_f1") == 1.0
    assert value_of("triples", rows, "triple_f1") == pytest.approx(0.5)  # half of them hold the other way round


def test_perplexities_are_of_all_hidden_tokens_together() -> None:
    rows = modelling.counts(Prepared({}, {}, None), {"likelihoods": [[-2.0, 1, 0], [-1.0, 2, 1]]})
    assert value_of("modelling", rows, "perplexity") == pytest.approx(np.exp(1) / 100)  # the page shows hundredths
    assert value_of("modelling", rows, "right") == pytest.approx(1 / 3)
    assert masked("who has my card", "[M]") == "who has [M] card"


def test_the_script_finds_the_answer_that_it_learned() -> None:
    context = "In the year 3 it was Bob who won."
    rows = [{"context": context, "answers": [{"text": "Bob", "start": context.index("Bob")}]}]
    offsets = [None, *[(place, place + len(word)) for word in context.split() for place in [context.index(word)]]]
    first, last = plain.positions(rows[0]["answers"], offsets)
    starts, ends = [0.0] * len(offsets), [0.0] * len(offsets)
    starts[first], ends[last] = 5.0, 5.0
    assert plain.read_off(rows, [{"row": 0, "offsets": offsets}], [(starts, ends)]) == ["Bob"]
    assert plain.positions(rows[0]["answers"], offsets[:6]) == (0, 0)


def test_texts_are_written_from_the_longest_on_and_come_in_their_order() -> None:
    class Model:
        class config:  # noqa: N801 - as transformers calls it
            is_encoder_decoder = True

        def generate(self, input_ids: list[list[int]], **_: Any) -> list[list[int]]:
            return input_ids

    class Tokenizer:
        def pad(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
            assert len(batch["input_ids"][0]) >= len(batch["input_ids"][-1])
            return batch

        def batch_decode(self, rows: list[list[int]], **_: Any) -> list[str]:
            return [" ".join(map(str, row)) for row in rows]

    assert written_sorted(Model(), Tokenizer(), [[1], [2, 3, 4], [5, 6]], 2, most=4) == ["1", "2 3 4", "5 6"]
    assert in_batches([4, 5, 6], 2) == [[4, 5], [6]]
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread("ab", 5) == ["a", "b"]


# The page

def run_of(rows: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"wall_seconds": 90.0, "tuning_seconds": 60.0, "peak_mib": 1234.5, "rows": {"test": rows},
            "machine": "A machine", "versions": {"torch": "2.0"}, "started": "2026-01-02T03:04:05+00:00", **more}


def results_of(**sides: Any) -> dict[str, Any]:
    return {"toy": {"family": "answers", "title": "Toy", "model": "tiny", "seed": 1, "epochs": 2, "note": "toy rows",
                    "learning_rate": 1e-4, "batch_size": 8, "max_length": 64, "sides": sides,
                    "sizes": {"train": 1000, "valid": 4, "test": 4}}}


def test_the_page_has_intervals_costs_and_speeds_and_keeps_the_rest(tmp_path: Path) -> None:
    ours, theirs = run_of([[1.0, 1.0, 1.0]] * 4), run_of([[1.0, 0.5, 0.0]] * 4, wall_seconds=300.0)
    results = results_of(luthier=ours, plain=theirs)
    results["toy"]["speed"] = {"agreement": 0.75, "asked": 4, "speeds": {
        "luthier": 1000.4, "usual": 99.94, "luthier, one": 50.0, "usual, one": 10.0}}
    path = tmp_path / "page.md"
    path.write_text("# Benchmarks\n\nmine\n", encoding="utf-8")
    page.publish(results, families(), path, "the command")
    text = path.read_text(encoding="utf-8")
    for part in ("| Toy | tiny | 1 | 1,000 / 4 | 100.00 [100.0, 100.0] | 50.00 [50.0, 50.0] | +50.00 [+50.00, +50.00] |"
                 " 100.00 | 0.00 |",
                 "| 1.5 | 5.0 | 1.0 | 1.0 | 1,234 | 1,234 | 1,000 | 99.9 | 50.0 | 10.0 | 75.0 % of 4 |",
                 "- Toy, tiny: 1,000 / 4 / 4 rows", "A machine; torch 2.0; 2026-01-02.", "`the command`", "mine"):
        assert part in text
    page.publish(results, families(), path, "the command")
    assert path.read_text(encoding="utf-8") == text


def test_the_overview_has_a_line_for_each_data_set_with_its_first_measure() -> None:
    results = results_of(luthier=run_of([[1.0, 1.0, 1.0]] * 4), plain=run_of([[1.0, 0.5, 0.0]] * 4))
    results["toy"]["speed"] = {"agreement": 0.75, "asked": 4, "speeds": {
        "luthier": 1000.4, "usual": 99.94, "luthier, one": 50.0, "usual, one": 10.0}}
    results["begun"] = {**results["toy"], "sides": {}}
    classified = Results()
    bench = {"title": "Two", "model": "small", "note": "", "source": ""}
    classified.start("two", {"bench": bench, "labels": ["a", "b"], "sizes": {"train": 2000}, "truth": [0, 1, 1, 0],
                             "clean": [1, 1, 1, 1]})
    for side, chosen in (("luthier", [0, 1, 1, 0]), ("trainer", [0, 1, 1, 1])):
        classified.add({**run_of([]), "dataset": "two", "seed": 1, "side": side, "chosen": chosen})
    lines = overview(results, families(), classified, "the command").splitlines()
    assert ("| Toy | tiny | 1 | 1,000 / 4 | F1 | 100.00 [100.0, 100.0] | 50.00 [50.0, 50.0] | +50.00 [+50.00, +50.00] |"
            " 1.5 | 1.5 | 1,234 | 1,234 | 1,000 | 99.9 |") in lines
    (two,) = (line for line in lines if line.startswith("| Two"))
    assert two.startswith("| Two | small | 1 | 2,000 / 4 | accuracy | 100.00 | 75.00 | +25.00 [")
    assert two.endswith("] | 1.5 | 1.5 | 1,234 | 1,234 | - | - |")
    assert {line.count("|") for line in lines if line.startswith("|")} == {15}
    assert "Machine: A machine; torch 2.0; 2026-01-02." in lines
    assert overview({}, families(), Results(), "the command") == ""


def test_a_side_that_was_not_run_has_dashes() -> None:
    (section,) = page.sections(results_of(luthier=run_of([[1.0, 1.0, 1.0]] * 4)), families(), "x").values()
    assert "| 100.00 [100.0, 100.0] | - | - | 100.00 | - |" in section
    assert "| 1.5 | - | 1.0 | - | 1,234 | - | - | - | - | - | - |" in section


def test_results_of_an_older_form_are_measured_again(tmp_path: Path) -> None:
    old, new = results_of(luthier={"scores": {}})["toy"], results_of(luthier=run_of([]))["toy"]
    (tmp_path / "r.json").write_text(json.dumps({"old": old, "new": new}), encoding="utf-8")
    assert set(load(tmp_path / "r.json")) == {"new"}
    assert load(tmp_path / "none.json") == {}


def test_every_family_has_sets() -> None:
    assert len(accuracy_tasks.sets()) == sum(len(family.SETS) for family in families().values())
    for name, family in families().items():
        assert family.TITLE
        assert family.SETS, name
        assert family.METRICS
        assert family.INTRODUCTION
        assert family.SPEED


# Sides

def test_a_failing_comparison_of_speeds_is_told_and_stops_nothing(
        data: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    def fake(_title: str, side: str, *_: Any, **__: Any) -> dict[str, Any]:
        if side == "speed":
            raise TuningError("no such backend", "mend it")
        return run_of([], spans=[[] for _ in range(12)])

    monkeypatch.setattr(accuracy_tasks, "run_side", fake)
    results: dict[str, Any] = {}
    measure("toy", "entities", toys(str(tiny_model))["entities"], Options(data, json=tmp_path / "r.json"), results)
    (told,) = results.values()
    assert set(told["sides"]) == {"luthier", "plain"}
    assert "speed" not in told
    assert "no speeds: no such backend" in capsys.readouterr().err


def in_this_process(_title: str, side: str, job: Job, *, module: str, work: Path) -> dict[str, Any]:
    """Stand in for ``run_side``: imports of a fresh process take most of a toy's time."""
    asked, answered = work.with_suffix(f".{side}.json"), work.with_suffix(f".{side}-answer.json")
    replace(job, work=str(work)).write(asked)
    started = time.perf_counter()
    import_module(module).main(str(asked), str(answered))
    return {"wall_seconds": time.perf_counter() - started, **json.loads(answered.read_text(encoding="utf-8")),
            "machine": "this", "versions": {}, "started": "2026-01-02"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("family", FAMILIES)
def test_both_sides_run_and_the_page_has_their_figures(
        family: str, data: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "NEW", NewModelSettings(vocab_size=300, width=16, layers=1, heads=2,
                                                             feed_forward=16, max_length=128))
    writer = tiny_generators.make_causal(tmp_path / "writer", max_length=256)
    config = json.loads((writer / "tokenizer_config.json").read_text(encoding="utf-8"))
    (writer / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": TEMPLATE}), encoding="utf-8")
    bench, results = toys(str(tiny_model), str(writer))[family], dict[str, Any]()
    options = Options(data, threads=1, json=tmp_path / "build" / "tasks.json")
    if family != "entities":
        monkeypatch.setattr(accuracy_tasks, "run_side", in_this_process)
    measure("toy", family, bench, options, results)
    assert load(options.json) == results
    (told,) = results.values()
    assert set(told["sides"]) == {"luthier", "plain"}
    for side in told["sides"].values():
        assert 0 < side["tuning_seconds"] < side["wall_seconds"]
        assert len(side["rows"]["test"]) == told["sizes"]["test"]
        assert not {"spans", "labels", "answers", "texts", "values", "ranks", "orders", "found",
                    "likelihoods"} & set(side)
    assert min(told["speed"]["speeds"].values()) > 0
    if family not in ("entities", "answers"):  # what hardly learned words are tagged with turns on rules of decoding
        assert told["speed"]["agreement"] >= 0.9
    (section,) = page.sections(results, families(), "x").values()
    assert f"| {bench.title} |" in section
    before = json.dumps(results)
    measure("toy", family, bench, options, results)  # nothing is run again
    assert json.dumps(results) == before
