"""What every file in ``luthier/data/kinds`` keeps to: its files are found, read, checked, split and described."""

from __future__ import annotations

import inspect as introspect
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from luthier import plugins
from luthier.data import Kind, from_arrays, inspect, kind_of, prepare, read_all
from luthier.data.clean import Found
from luthier.data.kind import BY_KEYS, ONLY_ASKED, PLAIN, kinds
from luthier.data.layout_values import Columns, Layout, Seen
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example

Row = dict[str, Any]
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def answered(number: int) -> Row:
    context = f"Letter {number}: Bob met Anna in Rome."
    return {"question": f"Who met Anna in {number}?", "context": context,
            "answers": [{"text": "Bob", "start": context.index("Bob")}] if number % 2 else []}


ROWS: dict[str, Callable[[int], Row]] = {
    "single_label_classification": lambda n: {"text": f"text {n}", "label": "ab"[n % 2]},
    "multi_label_classification": lambda n: {"text": f"text {n}", "labels": ["a", "b"][:n % 3]},
    "token_classification": lambda n: {"text": f"Anna {n}", "entities": [[0, 4, "PER"]][n % 2:]},
    "question_answering": answered,
    "regression": lambda n: {"text": f"text {n}", "score": n / 7},
    "text_generation": lambda n: {"source": f"text {n}", "target": [f"words {n}", f"other words {n}"][:1 + n % 2]},
    "dialogue": lambda n: {"prompt": f"text {n}", "completion": f"words {n}"},
    "masked_language_modelling": lambda n: {"text": f"text {n}"},
    "causal_language_modelling": lambda n: {"text": f"text {n}"},
    "similarity": lambda n: {"text": f"text {n}", "text_b": f"other {n}", "score": n / 7},
    "retrieval": lambda n: {"anchor": f"text {n}", "positive": f"passage {n}"},
    "re_ranking": lambda n: {"query": f"text {n}", "passage": f"passage {n}", "relevance": 1 + n % 2},
    "relation_classification": lambda n: {"text": f"Anna met Bob in {n}.", "head": "Anna", "tail": "Bob",
                                          "relation": ["met(e1,e2)", "Other"][n % 2]},
    "joint_extraction": lambda n: {"text": f"Anna met Bob in {n}.", "entities": [[0, 4, "PER"], [9, 12, "PER"]],
                                   "relations": [{"subject": 0, "object": 1, "label": "met"}][n % 2:]},
}
"""Kind -> its row of a number, as it stands in a JSON Lines file. A new kind adds a line."""
KINDS = [kind_of(name) for name in plugins.names("data.kinds")]
LABELLED = [kind for kind in KINDS if not getattr(kind, "UNLABELLED", False)]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.PROBLEM)


def written(path: Path, kind: Kind, count: int = 60) -> Path:
    assert kind.PROBLEM in ROWS, f"add a row of {kind.PROBLEM} to ROWS"
    rows = [json.dumps(ROWS[kind.PROBLEM](number)) for number in range(count)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def rows(kind: Kind, tmp_path: Path) -> list[Example]:
    path = written(tmp_path / "rows.jsonl", kind)
    return read_all(inspect(path, task=kind.TASK), max_bad_rows=0, learning=True)[0]


@every_kind
def test_it_offers_what_the_protocol_names(kind: Kind):
    assert kind.PROBLEM.replace("_", "-") in plugins.names("data.kinds")
    assert kind.PROBLEM in plugins.load("tasks", kind.TASK).PROBLEMS
    assert all(hasattr(kind, name) for name in Kind.__annotations__)
    for name, wanted in introspect.getmembers(Kind, introspect.isfunction):
        if not name.startswith("_"):
            expected = list(introspect.signature(wanted).parameters)[1:]
            found = introspect.signature(getattr(kind, name)).parameters
            needed = [one for one, value in found.items() if value.default is value.empty]
            assert len(needed) == len(expected), name


@every_kind
@pytest.mark.parametrize("asked", [True, False])
def test_its_files_are_found_with_and_without_the_name_of_the_task(kind: Kind, asked: bool, tmp_path: Path):
    if not asked and kind not in LABELLED:
        with pytest.raises(DataError, match="found no label column"):
            inspect(written(tmp_path / "rows.jsonl", kind))
        return
    layout = inspect(written(tmp_path / "rows.jsonl", kind), task=kind.TASK if asked else None)
    assert (layout.problem_type == kind.PROBLEM) is (asked or kind.SURENESS != ONLY_ASKED)
    assert (layout.label is None) is (kind not in LABELLED)
    assert layout.notes


@every_kind
def test_it_leaves_the_files_of_other_tasks(kind: Kind, tmp_path: Path):
    row = ROWS[kind.PROBLEM](1)
    seen = Seen(tmp_path / "rows.jsonl", Columns(), [row] * 3, tuple(row), ())
    for other in {one.TASK for one in KINDS} - {kind.TASK}:
        assert kind.find(seen, other, labelled=True) is None


@every_kind
def test_rows_in_memory_are_those_of_the_file(kind: Kind, rows: list[Example]):
    given = [[*ROWS[kind.PROBLEM](number).values(), *(() if kind in LABELLED else (None,))] for number in range(60)]
    texts = [tuple(cells[:-1]) if len(cells) > 2 else cells[0] for cells in given]
    found = from_arrays(texts, [cells[-1] for cells in given], name="rows.jsonl", problem_type=kind.PROBLEM)
    assert found == rows
    bare = from_arrays(texts, None, name="rows.jsonl", problem_type=kind.PROBLEM)
    assert [row.text_input for row in bare] == [row.text_input for row in rows]


@every_kind
def test_rows_without_labels_are_read_and_refused_for_learning(kind: Kind, rows: list[Example], tmp_path: Path):
    path = written(tmp_path / "bare.jsonl", kind)
    layout = inspect(path, labelled=False, task=kind.TASK if kind.OWN_INPUT else None)
    assert (layout.problem_type, layout.label) == (kind.PROBLEM if kind.OWN_INPUT else None, None)
    bare, _ = read_all(layout, max_bad_rows=0)
    assert [row.text_input for row in bare] == [row.text_input for row in rows]
    kind.check("train", rows)
    if kind not in LABELLED:
        kind.check("train", bare)
        return
    with pytest.raises(DataError, match="bare"):
        kind.check("train", bare)


@every_kind
def test_a_data_set_is_the_same_again_and_knows_its_labels(kind: Kind, rows: list[Example]):
    dataset, report = prepare(rows, None, None, PrepareSettings(), 7, problem_type=kind.PROBLEM)
    again, _ = prepare(rows, None, None, PrepareSettings(), 7, problem_type=kind.PROBLEM)
    assert dataset == again
    assert dataset.labels.problem_type == report.problem_type == kind.PROBLEM
    assert sorted(row.id for _, split in dataset.splits() for row in split) == sorted(row.id for row in rows)
    assert {label for row in rows for label in row.label_names} <= dataset.labels.known
    stored = json.loads(json.dumps(report.to_dict()))
    assert (stored["rows_read"], stored["split_sizes"]) == (report.rows_read, report.split_sizes)
    assert len(kind.lines(report)) >= 1


@pytest.mark.parametrize("kind", LABELLED, ids=lambda kind: kind.PROBLEM)
def test_what_a_row_is_labelled_with_decides_the_hash(kind: Kind, rows: list[Example]):
    other = [replace(rows[1], id=rows[0].id, text=rows[0].text, text_b=rows[0].text_b), *rows[1:]]
    first, second = (prepare(given, None, None, PrepareSettings(), 7, problem_type=kind.PROBLEM)[0]
                     for given in (rows, other))
    assert first.content_hash != second.content_hash
    json.dumps(kind.hashed(rows[0]))
    assert hash(kind.target(rows[0])) != hash(kind.target(rows[1]))


@every_kind
def test_samples_and_splits_keep_rows_whole_and_in_order(kind: Kind, rows: list[Example]):
    place = {row.id: number for number, row in enumerate(rows)}
    parts = kind.divided(rows, SHARES, 3).parts
    for chosen in (kind.sampled(rows, 20, 3), *parts.values()):
        assert [place[row.id] for row in chosen] == sorted(place[row.id] for row in chosen)
        assert all(row == rows[place[row.id]] for row in chosen)
    assert len(kind.sampled(rows, 20, 3)) == 20
    assert sum(map(len, parts.values())) == len(rows)


@every_kind
def test_settling_only_counts_where_nothing_may_be_dropped(kind: Kind, rows: list[Example]):
    twice = [*rows, *(replace(rows[(place + 1) % 60], id=f"again:{place}", text=row.text, text_b=row.text_b)
                      for place, row in enumerate(rows))]
    counted, dropped = Found(), Found()
    assert kind.settled({"train": twice}, counted, drop=False) == {"train": twice}
    kept = kind.settled({"train": twice}, dropped, drop=True)["train"]
    assert counted.contradictory_texts == dropped.contradictory_texts
    assert {row.id for row in kept} <= {row.id for row in twice}
    assert (len(kept) == len(twice)) == (dropped.contradictory_texts == dropped.near_duplicate_groups == 0)
    assert all(kind.REPEATED)


@every_kind
def test_a_row_without_text_has_no_normal_form(kind: Kind, rows: list[Example]):
    assert kind.normal(replace(rows[0], text=" "), "nfkc") is None
    assert kind.normal(rows[0], "nfkc") is rows[0]


def test_the_surest_is_asked_first_and_the_plain_one_last():
    order = [kind.SURENESS for kind in kinds()]
    assert order == sorted(order)
    assert kinds()[-1].PROBLEM == PLAIN


@pytest.fixture
def outsider(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Publish a kind whose rows have keys of their own, as an installed package would."""
    module = ModuleType("outside_kind")
    vars(module).update({name: value for name, value in vars(kind_of("regression")).items() if name[0] != "_"})

    def find(seen: Seen, task: str | None, *, labelled: bool) -> Layout | None:
        if task not in (None, "distances") or not {"anchor", "far"} <= set(seen.present):
            return None
        return Layout(seen.path, "", None, "anchor", None, "far" if labelled else None, None, (), "distances",
                      more={"far": "far"})

    vars(module).update(PROBLEM="distances", TASK="distances", SURENESS=BY_KEYS, OWN_INPUT=True, find=find)
    monkeypatch.setitem(sys.modules, "outside_kind", module)
    points = [metadata.EntryPoint("distances", "outside_kind", "luthier.data.kinds")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "luthier.data.kinds" else [])
    return module


def test_a_package_brings_a_kind_of_files(outsider: ModuleType, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"anchor": f"a {n}", "far": n}) + "\n" for n in range(60)), encoding="utf-8")
    layout = inspect(path)
    assert (layout.problem_type, layout.reader, layout.encoding) == ("distances", "jsonl", "utf-8")
    rows, _ = read_all(layout, max_bad_rows=0)
    assert rows[5] == Example("rows.jsonl:6", "a 5", value=5.0)
    bare, _ = read_all(inspect(path, labelled=False, task="distances"), max_bad_rows=0)
    assert bare[5] == Example("rows.jsonl:6", "a 5")
    assert prepare(rows, None, None, PrepareSettings(), 1, problem_type="distances")[1].values["train"]


def test_a_file_that_no_kind_takes_is_refused(outsider: ModuleType, tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no rows for the task distances; the columns are 'text', 'label'\n.*--text"):
        inspect(path, task="distances")
