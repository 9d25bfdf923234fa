"""Rows as data sets nest them: tokens whose spans count them, passages of which some were selected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import inspect, read_all
from luthier.data.cells.selected import selected
from luthier.schema import Passages, Span

WORDS = ["Ann", "Lee", "lives", "in", "Rome"]
NAMES = (Span(0, 7, "person"), Span(17, 21, "place"))
MARCO = {"query": "who lives there?", "query_id": 3, "query_type": "PERSON", "answers": ["Ann"]}


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("row", [
    {"sentence": WORDS, "ner": [{"index": [0, 1], "type": "person"}, {"index": [4], "type": "place"}], "word": [[0]]},
    {"tokenized_text": WORDS, "ner": [[0, 1, "person"], [4, 4, "place"]]},
    {"tokens": WORDS, "entities": [{"start": 0, "end": 2, "type": "person"}, {"start": 4, "end": 5, "type": "place"}]},
    {"tokens": WORDS, "spans": [{"start": 0, "end": 2, "label": "person", "text": "Ann Lee"},
                                {"start": 4, "end": 5, "label": "place"}]},
    {"tokens": WORDS, "relations": [], "entities": [{"start": 0, "end": 2, "type": "person"},
                                                    {"start": 4, "end": 5, "type": "place"}]},
], ids=["W2NER", "GLiNER", "entities", "spans", "SpERT"])
def test_spans_that_count_tokens_are_found_in_the_joined_text(row: dict[str, Any], tmp_path: Path) -> None:
    marks = next(key for key in row if key in ("ner", "entities", "spans"))
    path = written(tmp_path / "rows.jsonl", row, {**row, marks: []})
    layout = inspect(path)
    assert (layout.problem_type, layout.label) == ("token_classification", marks)
    (one, other), bad = read_all(layout, max_bad_rows=0)
    assert (one.text, one.spans, other.text, other.spans) == ("Ann Lee lives in Rome", NAMES, one.text, ())
    assert inspect(path, task="named-entities").label == marks


def test_characters_are_joined_without_spaces_and_nested_spans_stay(tmp_path: Path) -> None:
    marks = [{"index": [0, 1, 2], "type": "NAME"}, {"index": [0], "type": "姓"}]
    row = {"sentence": list("常建良，男，"), "ner": marks}
    (one,), _ = read_all(inspect(written(tmp_path / "rows.json", [row])), max_bad_rows=0)
    assert (one.text, one.spans) == ("常建良，男，", (Span(0, 1, "姓"), Span(0, 3, "NAME")))


@pytest.mark.parametrize(("mark", "said"), [
    ({"index": [0, 2], "type": "x"}, "an entity is of several stretches, tokens 0, 2"),
    ({"index": [9], "type": "x"}, "tokens 9-10 lie outside the text of 5 tokens"),
    ({"index": [-1, 0], "type": "x"}, "tokens -1-1 lie outside"),
    ({"index": [0]}, "has no label"),
])
def test_spans_that_cannot_be_placed_cost_their_row(mark: dict[str, Any], said: str, tmp_path: Path) -> None:
    good = {"sentence": WORDS, "ner": [{"index": [4], "type": "place"}]}
    rows, bad = read_all(inspect(written(tmp_path / "rows.jsonl", good, {**good, "ner": [mark]}, good)), max_bad_rows=1)
    assert (len(rows), [row.line for row in bad]) == (2, [2])
    assert said in bad[0].reason


TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC"]
SPAN = {"start": 0, "end": 1, "type": "PER"}


@pytest.mark.parametrize(("row", "kind", "label"), [
    ({"tokens": WORDS, "ner_tags": TAGS, "entities": []}, "token_classification", "ner_tags"),
    ({"tokens": WORDS, "ner_tags": TAGS, "entities": [SPAN]}, "token_classification", "ner_tags"),
    ({"tokens": WORDS, "ner_tags": TAGS, "spans": ["PER: Ann"]}, "token_classification", "ner_tags"),
    ({"tokens": WORDS, "label": "good", "entities": [SPAN]}, "single_label_classification", "label"),
    ({"tokens": WORDS, "label": "good", "entities": [{"start": 0, "end": 13, "label": "PER"}]},
     "single_label_classification", "label"),
    ({"tokens": WORDS, "label": "good", "entities": [{"index": 0, "start": 0, "end": 1}]},
     "single_label_classification", "label"),
    ({"tokens": WORDS, "labels": ["a", "b"]}, "multi_label_classification", "labels"),
    ({"text": "Ann Lee", "tokens": WORDS, "spans": [{"start": 0, "end": 3, "label": "x"}]}, "token_classification",
     "spans"),
    ({"tokens": WORDS, "entities": [SPAN], "head": {"start": 0, "end": 2}, "tail": {"start": 4, "end": 5},
      "relation": "lives"}, "relation_classification", "relation"),
    ({"tokens": WORDS, "entities": [[0, 2, "PER"], [4, 5, "LOC"]], "relations": [[0, 1, "lives"]]}, "joint_extraction",
     "relations"),
])
def test_rows_of_other_forms_are_read_as_such(row: dict[str, Any], kind: str, label: str, tmp_path: Path) -> None:
    layout = inspect(written(tmp_path / "rows.jsonl", *[{"comment": "", **row}] * 3))
    assert (layout.problem_type, layout.label) == (kind, label)
    found, bad = read_all(layout, max_bad_rows=0)
    assert (found[0].text, bad) == (row.get("text", "Ann Lee lives in Rome"), [])


def test_places_of_entities_beside_relations_count_tokens_whatever_else_a_row_holds(tmp_path: Path) -> None:
    row = {"doc_key": "a/very/long/path/to/the/document/of/this/row", "text": "", "tokens": WORDS,
           "entities": [{"start": 0, "end": 2, "type": "PER"}, {"start": 4, "end": 5, "type": "LOC"}],
           "relations": [{"head": 0, "tail": 1, "type": "lives"}]}
    (one,), _ = read_all(inspect(written(tmp_path / "rows.jsonl", row)), max_bad_rows=0)
    assert (one.text, one.spans) == ("Ann Lee lives in Rome", (Span(0, 7, "PER"), Span(17, 21, "LOC")))


@pytest.mark.parametrize("passages", [
    {"is_selected": [0, 1, 0], "passage_text": ["no", "Ann.", "nor"], "url": ["", "", ""]},
    [{"is_selected": 0, "passage_text": "no"}, {"is_selected": 1, "passage_text": "Ann."},
     {"is_selected": 0, "passage_text": "nor"}],
])
def test_selected_passages_of_ms_marco_belong_to_the_query(passages: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", *[{**MARCO, "passages": passages}] * 9)
    for task in (None, "similarity", "re-ranking"):
        found, _ = read_all(inspect(path, task=task), max_bad_rows=0)
        assert (found[0].text, found[0].passages) == (MARCO["query"], Passages(("Ann.",), ("no", "nor")))
    asked, _ = read_all(inspect(path, task="re-ranking", labelled=False), max_bad_rows=0)
    assert asked[0].passages == Passages((), candidates=("no", "Ann.", "nor"))


@pytest.mark.parametrize("passages", [
    [], ["a"], {"is_selected": [1], "passage_text": ["a", "b"]}, {"passage_text": ["a"]}, [{"passage_text": "a"}], "a"])
def test_other_passages_are_left_as_they_are(passages: Any) -> None:
    assert selected({**MARCO, "passages": passages}) is None


def test_passages_of_dpr_and_triplets_of_simcse_are_told_by_their_names(tmp_path: Path) -> None:
    contexts = {name: [{"title": "t", "text": f"{name} it"}] for name in (
        "positive_ctxs", "negative_ctxs", "hard_negative_ctxs")}
    rows = [{"dataset": "nq", "question": f"who {n}?", "answers": ["Ann"], **contexts} for n in range(9)]
    found, _ = read_all(inspect(written(tmp_path / "dpr.jsonl", *rows)), max_bad_rows=0)
    assert found[8].text == "who 8?"
    assert found[8].passages == Passages(("positive_ctxs it",), ("negative_ctxs it", "hard_negative_ctxs it"))
    rows = [{"sent0": f"a man {n}", "sent1": f"a person {n}", "hard_neg": "a dog"} for n in range(9)]
    found, _ = read_all(inspect(written(tmp_path / "nli.jsonl", *rows)), max_bad_rows=0)
    assert (found[1].text, found[1].passages) == ("a man 1", Passages(("a person 1",), ("a dog",)))


def test_mentions_of_nyt_are_words_and_the_relations_between_them(tmp_path: Path) -> None:
    mentions = [{"em1Text": "Rome", "em2Text": "Ann Lee", "label": "None"},
                {"em1Text": "Ann Lee", "em2Text": "Rome", "label": "/people/person/place_lived"}]
    row = {"articleId": "/a/long/path/to/the/article/of/this/row", "sentText": "Ann Lee lives in Rome",
           "entityMentions": [{"start": 0, "label": "PERSON", "text": "Ann Lee"}], "relationMentions": mentions}
    layout = inspect(written(tmp_path / "nyt.json", row))
    (one,), _ = read_all(layout, max_bad_rows=0)
    assert (layout.problem_type, one.text) == ("joint_extraction", row["sentText"])
    assert [(one.text[t.subject.start:t.subject.end], t.label, one.text[t.object.start:t.object.end])
            for t in one.triples or ()] == [("Ann Lee", "/people/person/place_lived", "Rome")]
