"""Entities and the relations between them, found in one text: triples that are right in every part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.tasks import relations
from benchmarks.tasks.counts import Rows, f1
from benchmarks.tasks.family import TEST, Bench, Limits, Prepared, read_lines, write_lines
from luthier.evaluation.outcomes import Array

TITLE = "Entities and relations"
METRICS = {"triple_f1": "triple F1", "entity_f1": "entity F1"}
INTRODUCTION = """\
No set of the folder marks every entity of a text. SemEval-2010 Task 8 marks two nouns in each sentence, and these are
to be found here, with what holds between them: scores stay low on both sides, since other nouns would do as well. The
script (`benchmarks/tasks/triples/plain.py`) is the usual two, a tagger and a classifier of marked pairs, those for
entities and for relations on this page, with two encoders; Luthier's one encoder does both. A triple is right with
both stretches, the relation and its direction. The script has one rate for all weights, Luthier's new head its own."""
SPEED = "two loops around `AutoModelForTokenClassification`, for the tags and for the marked pairs"
TYPE = "nominal"
NONE = relations.NONE
SETS = {
    "semeval2010-joint": Bench("SemEval-2010 Task 8, joint", "minilm-l6", relations.SETS["semeval2010"].files, 5, 1e-4,
                               max_length=128, minutes=(4, 25),
                               note="official train and test; a tenth of train chooses the epoch"),
}


def prepare(bench: Bench, data: Path, folder: Path, limits: Limits) -> Prepared:
    """Write train, valid and test with the spans and the triples of each text.

    Raises:
        DataError: a file is missing.
    """
    pairs = relations.prepare(bench, data, folder, limits)
    found = {split: [joint(row) for row in read_lines(Path(file))] for split, file in pairs.files.items()}
    files = {split: write_lines(folder / f"{split}.joint.jsonl", rows) for split, rows in found.items()}
    return Prepared(files, pairs.sizes, found["test"], pairs.labels)


def joint(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a marked pair as a text with two entities, and a triple where a relation holds."""
    entities = [{**row[side], "label": TYPE} for side in ("head", "tail")]
    name, _, direction = row["relation"].partition("(")
    subject = int(direction.startswith("e2"))
    triples = [] if name == NONE else [{"subject": subject, "object": 1 - subject, "label": name}]
    return {"text": row["text"], "entities": entities, "relations": triples}


def apart(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a text with two entities as the marked pair that it was made of."""
    sides = {side: {edge: one[edge] for edge in ("start", "end")}
             for side, one in zip(("head", "tail"), row["entities"], strict=True)}
    told = [f"{one['label']}({'e2,e1' if one['subject'] else 'e1,e2'})" for one in row["relations"]]
    return {"text": row["text"], **sides, "relation": told[0] if told else NONE}


def counts(prepared: Prepared, answer: Mapping[str, Any]) -> Rows:
    """Return of each text the triples, then the entities, that are right, said and true."""
    rows = []
    for row, said in zip(prepared.truth, answer["found"], strict=True):
        spans = [(one["start"], one["end"]) for one in row["entities"]]
        true = ({(*spans[one["subject"]], *spans[one["object"]], one["label"]) for one in row["relations"]}, {*spans})
        given = tuple({tuple(one) for one in said[part]} for part in ("triples", "entities"))
        rows.append([1.0, *(float(count) for one, other in zip(given, true, strict=True)
                            for count in (len(one & other), len(one), len(other)))])
    return {TEST: rows}


def figures(sums: Array) -> dict[str, Array]:
    """Return the F1 of triples and of entities."""
    return {"triple_f1": f1(*sums[:, 1:4].T), "entity_f1": f1(*sums[:, 4:7].T)}
