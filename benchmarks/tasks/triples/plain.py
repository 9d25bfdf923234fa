"""The other side for triples: the usual two scripts, a tagger and a classifier of marked pairs, with two encoders.

``python -m benchmarks.tasks.triples.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import gc
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.entities import plain as entities
from benchmarks.tasks.entities.sentences import Sentence
from benchmarks.tasks.family import read_lines, write_answer
from benchmarks.tasks.relations import plain as relations
from benchmarks.tasks.triples import NONE, TYPE, apart, joint
from luthier.tasks._tags import names_of

WORD = re.compile(r"\w+|[^\w\s]")


def main(job_file: str, answer_file: str) -> None:
    """Tune both, tag the test texts, and label each pair of what was tagged."""
    job = Job.read(job_file)
    splits = {name: read_lines(Path(getattr(job, name))) for name in ("train", "valid", "test")}
    words = {name: [sentence(row) for row in rows] for name, rows in splits.items()}
    tagger = entities.tuned(_part(job, "tags"), names_of((TYPE,)), words["train"], words["valid"])
    started, seconds = time.perf_counter(), tagger.seconds
    spans = tagger.tag(words["test"])
    answering = time.perf_counter() - started
    del tagger  # and its optimiser's moments: two scripts would not hold both
    gc.collect()
    pairs = {name: [apart(row) for row in splits[name]] for name in ("train", "valid")}
    classifier = relations.tuned(_part(job, "pairs"), pairs["train"], pairs["valid"])
    started = time.perf_counter()
    found = triples([row["text"] for row in splits["test"]], spans, classifier)
    write_answer(answer_file, seconds=seconds + classifier.seconds, rows=len(found),
                 answering=answering + time.perf_counter() - started, found=found)


def _part(job: Job, name: str) -> Job:
    return replace(job, work=str(Path(job.work) / name))


def sentence(row: Mapping[str, Any]) -> Sentence:
    """Return a text as words with tags: a word that overlaps an entity has the entity's."""
    places = [found.span() for found in WORD.finditer(row["text"])]
    tags = ["O"] * len(places)
    for one in row["entities"]:
        own = [number for number, (start, end) in enumerate(places) if start < one["end"] and end > one["start"]]
        for number in own:
            tags[number] = f"{'B' if number == own[0] else 'I'}-{one['label']}"
    return Sentence(tuple(row["text"][start:end] for start, end in places), tuple(tags), tuple(places), row["text"])


def triples(texts: Sequence[str], spans: Sequence[Sequence[Sequence[Any]]], classifier: relations.Classifier,
            ) -> list[dict[str, Any]]:
    """Return the entities of each text, and what holds between each two of them."""
    asked = [(number, [one[:2], other[:2]]) for number, own in enumerate(spans)
             for place, one in enumerate(own) for other in own[place + 1 :]]
    rows = [{"text": texts[number], "relation": NONE, **{side: dict(zip(("start", "end"), span, strict=True))
                                                         for side, span in zip(("head", "tail"), two, strict=True)}}
            for number, two in asked]
    found: list[dict[str, Any]] = [{"entities": [one[:2] for one in own], "triples": []} for own in spans]
    for (number, two), row, label in zip(asked, rows, classifier.label(rows), strict=True):
        for one in joint({**row, "relation": label})["relations"]:
            found[number]["triples"].append([*two[one["subject"]], *two[one["object"]], one["label"]])
    return found


if __name__ == "__main__":
    main(*sys.argv[1:3])
