"""Exports of the tools that people annotate with, with all that stands in them beside what is learned."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from luthier.data import BadRow, Columns, Layout, inspect, read_all, read_with_cells
from luthier.schema import Example, Span

GOOGLE = "Google was founded by Page in 1998"
ORG, PER = Span(0, 6, "ORG"), Span(22, 26, "PER")
TOPICS = ("sport", "politics", "culture", "science")


def written(path: Path, rows: Sequence[Any]) -> Path:
    """Write rows as one JSON list, or as JSON Lines where the name says so."""
    lines = path.suffix == ".jsonl"
    told = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) if lines else json.dumps(rows)
    path.write_text(told, encoding="utf-8")
    return path


def all_of(path: Path, **asked: Any) -> tuple[Layout, list[Example], list[BadRow]]:
    layout = inspect(path, **asked)
    return layout, *read_all(layout, max_bad_rows=10)


# doccano

def test_doccanos_comments_are_not_the_text(tmp_path: Path) -> None:
    rows = [{"id": n, "data": f"{GOOGLE} {n}", "label": [[0, 6, "ORG"]], "Comments": []} for n in range(4)]
    layout, found, bad = all_of(written(tmp_path / "all.jsonl", rows))
    assert (layout.problem_type, layout.text, layout.spans, bad) == ("token_classification", "data", "label", [])
    assert [(row.text, row.spans) for row in found][1] == (f"{GOOGLE} 1", (ORG,))


def test_of_texts_by_name_the_first_that_holds_text_is_taken(tmp_path: Path) -> None:
    rows = [{"text": None, "body": GOOGLE, "notes": "seen by two people, both of whom agreed at once",
             "label": [[0, 6, "ORG"]]}] * 2
    assert inspect(written(tmp_path / "all.jsonl", rows)).text == "body"


# Rows in which nothing was marked

MARK = {"start": 0, "end": 6, "text": "Google", "labels": ["ORG"]}
STUDIO = {"annotator": 1, "annotation_id": 7, "created_at": "2024-01-02T03:04:05Z", "lead_time": 3.5}
PRODIGY = {"_input_hash": 11, "_task_hash": 12}
ACCEPTED = {"answer": "accept", **PRODIGY}


@pytest.mark.parametrize(("marked", "empty"), [
    ({"label": [MARK], **STUDIO}, STUDIO),
    ({"spans": [{"start": 0, "end": 6, "label": "ORG"}], **ACCEPTED}, ACCEPTED),
])
def test_a_key_that_a_tool_leaves_out_means_that_nothing_was_marked(marked: Any, empty: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [{"text": GOOGLE, **marked}] * 2 + [{"text": "Nothing here", **empty}])
    _, found, bad = all_of(path)
    assert [row.spans for row in found] == [(ORG,), (ORG,), ()]
    assert not bad


@pytest.mark.parametrize("unseen", [
    {}, {"annotation_id": None}, {"label": None, **STUDIO}, PRODIGY, {"spans": [], "label": None, "answer": "accept"}])
def test_rows_that_nobody_is_known_to_have_looked_at_stay_bad(unseen: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", [{"text": GOOGLE, "label": [MARK]}] * 2 + [{"text": "Nothing", **unseen}])
    _, found, bad = all_of(path, columns=Columns(label="label"))
    assert [row.spans for row in found] == [(ORG,), (ORG,)]
    assert [(row.line, row.reason) for row in bad] == [(3, "expected a list of spans, came nothing")]


def test_label_studios_csv_leaves_the_cell_empty(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("annotation_id", "text", "label"), (1, GOOGLE, json.dumps([MARK])),
                                    (2, "Nothing here", ""), ("", "Unseen", "")])
    _, found, bad = all_of(path)
    assert [row.spans for row in found] == [(ORG,), ()]
    assert [row.line for row in bad] == [4]


# Label Studio: what was said of whole texts

def task(number: int, *results: Any, **data: Any) -> dict[str, Any]:
    """Return a task of the full export with what Label Studio notes of it."""
    return {"id": number, "data": {"text": f"The text of task {number}", **data}, "meta": {}, "predictions": [],
            "annotations": [{"id": 1, "was_cancelled": True, "result": [chosen("cancelled")]},
                            {"id": 2, "was_cancelled": False, "result": list(results)}],
            "drafts": [], "file_upload": f"{number % 2}.json", "project": 1, "inner_id": number,
            "updated_by": number % 2, "total_annotations": 1 + number % 2, "cancelled_annotations": 1}


def chosen(*choices: Any, name: str = "sentiment", kind: str = "choices") -> dict[str, Any]:
    return {"id": "x", "type": kind, "from_name": name, "to_name": "text", "value": {kind: list(choices)}}


def wrote(*texts: str, name: str) -> dict[str, Any]:
    return {"type": "textarea", "from_name": name, "to_name": "text", "value": {"text": list(texts)}}


@pytest.mark.parametrize("name", ["sentiment", "what_it_is"])
def test_one_choice(name: str, tmp_path: Path) -> None:
    rows = [task(n, chosen(TOPICS[n % 4], name=name)) for n in range(40)]
    layout, found, bad = all_of(written(tmp_path / "export.json", rows))
    assert (layout.problem_type, layout.text, layout.label, bad) == ("single_label_classification", "text", name, [])
    assert [(row.text, row.labels) for row in found[:2]] == [
        ("The text of task 0", ("sport",)), ("The text of task 1", ("politics",))]


def test_several_annotations_of_a_task_are_told(tmp_path: Path) -> None:
    rows = [task(n, chosen(("good", "bad")[n % 2]), text=f"a text {n}") for n in range(6)]
    told = "several annotations"
    assert not any(told in note for note in all_of(written(tmp_path / "one.json", rows))[0].notes)
    rows[4]["annotations"].append({"id": 3, "result": [chosen("other")]})
    layout, found, _ = all_of(written(tmp_path / "two.json", rows))
    assert ("1 of the first 6 tasks have several annotations: of each the first is read that was not cancelled"
            in layout.notes)
    assert found[4].labels == ("good",)


def test_several_choices_and_nested_ones(tmp_path: Path) -> None:
    rows = [task(0, chosen("late", "damaged")), task(1, chosen("late")), task(2, chosen(["late", "by days"], "dear")),
            task(3)]
    layout, found, bad = all_of(written(tmp_path / "export.json", rows))
    assert (layout.problem_type, layout.label) == ("multi_label_classification", "sentiment")
    assert [row.labels for row in found] == [("late", "damaged"), ("late",), ("late > by days", "dear")]
    assert [row.reason for row in bad] == ["'sentiment' is empty: the row has no label"]


def test_a_taxonomy_gives_paths(tmp_path: Path) -> None:
    paths = (["Home", "Garden"], ["Home", "Kitchen"])
    rows = [task(n, chosen(paths[n % 2], name="taxonomy", kind="taxonomy")) for n in range(8)]
    layout, found, _ = all_of(written(tmp_path / "export.json", rows), columns=Columns(label="taxonomy"))
    assert (layout.problem_type, found[0].labels) == ("single_label_classification", ("Home > Garden",))
    rows += [task(8, chosen(*paths, name="taxonomy", kind="taxonomy"))]
    layout, found, _ = all_of(written(tmp_path / "export.json", rows), columns=Columns(label="taxonomy"))
    assert (layout.problem_type, found[8].labels) == (
        "multi_label_classification", ("Home > Garden", "Home > Kitchen"))


@pytest.mark.parametrize("kind", ["rating", "number"])
def test_numbers(kind: str, tmp_path: Path) -> None:
    rows = [task(n, {"type": kind, "from_name": "how_good", "value": {kind: 1 + n % 5}}) for n in range(20)]
    path = written(tmp_path / "export.json", rows)
    layout, found, _ = all_of(path, task="regression", columns=Columns(label="how_good"))
    assert (layout.problem_type, [row.value for row in found[:3]]) == ("regression", [1.0, 2.0, 3.0])


def test_texts_that_were_written(tmp_path: Path) -> None:
    rows = [task(n, wrote(f"In short {n}", name="summary")) for n in range(12)]
    rows.append(task(12, wrote("One", "Two", name="summary")))
    layout, found, _ = all_of(written(tmp_path / "export.json", rows))
    assert (layout.problem_type, layout.text, layout.label) == ("text_generation", "text", "summary")
    assert [row.targets for row in found[11:]] == [("In short 11",), ("One", "Two")]


def test_results_do_not_take_the_place_of_data_or_text(tmp_path: Path) -> None:
    rows = [{**task(n, chosen(TOPICS[n % 4]), wrote(f"I am not sure of {n}", name="comment"), sentiment="by machine"),
             "id": n} for n in range(8)]
    for row in rows:
        row["data"]["ticket"] = row["data"].pop("text")
    layout = inspect(written(tmp_path / "export.json", rows))
    (example, cells), *_ = read_with_cells(layout, on_bad=pytest.fail)
    assert (layout.text, layout.label, example.labels) == ("ticket", "label", ("sport",))
    assert (cells["sentiment"], cells["target"]) == ("by machine", "I am not sure of 0")
    assert "comment" not in cells


def span_of(mark: Span, **more: Any) -> dict[str, Any]:
    return {"id": f"{mark.start}", "type": "labels", "from_name": "label", "to_name": "text",
            "value": {"start": mark.start, "end": mark.end, "labels": [mark.label]}, **more}


def test_spans_are_learned_beside_choices_unless_those_are_asked_for(tmp_path: Path) -> None:
    sure = {"id": "0", "type": "choices", "from_name": "sure", "value": {"start": 0, "end": 6, "choices": ["yes"]}}
    rows = [task(n, span_of(ORG), sure, chosen(TOPICS[n % 4]), text=GOOGLE) for n in range(8)]
    path = written(tmp_path / "export.json", rows)
    layout, found, bad = all_of(path)
    assert (layout.problem_type, layout.spans, found[0].spans, bad) == (
        "token_classification", "annotations", (ORG,), [])
    assert any("'sentiment' labels the texts, which is not learned" in note for note in layout.notes)
    for asked in ({"task": "text-classification"}, {"columns": Columns(label="sentiment")}):
        assert all_of(path, **asked)[1][1].labels == ("politics",)
    arrow = {"type": "relation", "from_id": "22", "to_id": "0", "labels": ["founded"]}
    rows = [task(n, span_of(ORG), span_of(PER), arrow, chosen(TOPICS[n % 4]), text=GOOGLE) for n in range(8)]
    assert inspect(written(path, rows)).problem_type == "joint_extraction"


@pytest.mark.parametrize(("cells", "asked", "field", "wanted"), [
    (["late", {"choices": ["late", "dear"]}, {"choices": []}], {}, "labels", [("late",), ("late", "dear"), ()]),
    ([[{"rating": 4}], [{"rating": 2}], [{"rating": 5}]], {"task": "regression"}, "value", [4.0, 2.0, 5.0]),
    ([[{"taxonomy": [["a", "b"]]}], [{"taxonomy": [["a", "c"], ["d"]]}], [{"taxonomy": [["d"]]}]], {}, "labels",
     [("a > b",), ("a > c", "d"), ("d",)]),
    (["Short", {"text": ["Brief", "Terse"]}, "In a word"], {"task": "text-to-text"}, "targets",
     [("Short",), ("Brief", "Terse"), ("In a word",)]),
])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_short_export(form: str, cells: Any, asked: Any, field: str, wanted: Any, tmp_path: Path) -> None:
    rows = [{"text": f"The text {n}", "target": cell, **STUDIO} for n, cell in enumerate(cells)]
    path = written(tmp_path / "short.json", rows)
    if form == "csv":
        path = tmp_path / "short.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            told = [[cell if isinstance(cell, str) else json.dumps(cell) for cell in row.values()] for row in rows]
            csv.writer(file).writerows([list(rows[0]), *told])
    layout, found, bad = all_of(path, columns=Columns(label="target"), **asked)
    assert (layout.label, [getattr(row, field) for row in found], bad) == ("target", wanted, [])


def test_an_object_of_choices_is_read_without_the_columns_of_the_export(tmp_path: Path) -> None:
    rows = [{"text": "It came late", "sentiment": "late"}, {"text": "Both", "sentiment": {"choices": ["late", "dear"]}}]
    assert [row.labels for row in all_of(written(tmp_path / "a.jsonl", rows))[1]] == [("late",), ("late", "dear")]


# CMeEE

MEDICAL = "对儿童SARST细胞亚群的研究，与成人SARS。"
PLACES = ((3, 9, "bod", "SARST细胞"), (17, 22, "dis", "成人SARS"))


def test_the_last_character_belongs_to_the_spans_of_cmeee(tmp_path: Path) -> None:
    marks = [{"start_idx": start, "end_idx": last, "type": kind, "entity": text} for start, last, kind, text in PLACES]
    _, found, bad = all_of(written(tmp_path / "CMeEE_train.json", [{"text": MEDICAL, "entities": marks}] * 2))
    assert not bad
    assert [(MEDICAL[span.start : span.end], span.label) for span in found[0].spans or ()] == [
        ("SARST细胞", "bod"), ("成人SARS", "dis")]


@pytest.mark.parametrize(("mark", "wanted"), [
    ({"start_idx": 3, "end_idx": 10, "entity": "SARST细胞"}, "SARST细胞"),  # others mean the end behind it
    ({"start_idx": 3, "end_idx": 10, "entity": "ｓａｒｓｔ细胞"}, "SARST细胞"),
    ({"start_idx": 17, "end_idx": 23, "entity": "成人sars"}, "成人SARS"),  # the full stop behind is no part of it
    ({"start_idx": 17, "end_idx": 23, "entity": "成人SARS。"}, "成人SARS。"),
    ({"start_idx": 3, "end_idx": 10}, "SARST细胞"),  # without words the end is behind it, as everywhere
    ({"start_idx": 3, "end": 10}, "SARST细胞"),
    ({"start_idx": 3, "length": 7}, "SARST细胞"),
])
def test_words_tell_whether_the_last_character_belongs(mark: Any, wanted: str, tmp_path: Path) -> None:
    row = {"text": MEDICAL, "entities": [{**mark, "type": "bod"}]}
    _, found, _ = all_of(written(tmp_path / "rows.jsonl", [row] * 2))
    assert [MEDICAL[span.start : span.end] for span in found[0].spans or ()] == [wanted]


def test_words_that_stand_at_neither_end_are_a_bad_row(tmp_path: Path) -> None:
    good, wrong = ({"start_idx": 3, "end_idx": 9, "type": "bod", "entity": text} for text in ("SARST细胞", "亚群"))
    _, found, bad = all_of(written(tmp_path / "rows.jsonl", [
        {"text": MEDICAL, "entities": [mark]} for mark in (good, good, wrong)]))
    assert len(found) == 2
    assert "and not '亚群'" in bad[0].reason
