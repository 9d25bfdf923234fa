"""Triples of the tuned bundle: Luthier beside two loops that read its two heads, as no pipeline does.

``python -m benchmarks.tasks.triples.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.speed import Asked, bundle_of, compare, in_batches, spread
from benchmarks.tasks.triples.luthier import told
from luthier.schema import Argument, Marked
from luthier.text import written

ROWS = 256
Spans = list[tuple[int, int, str]]


def main(job_file: str, answer_file: str) -> None:
    """Ask both for the test texts."""
    job = Job.read(job_file)
    texts = [row["text"] for row in spread(read_lines(Path(job.test)), ROWS)]
    reader = Reader(job)

    def usual(numbers: Sequence[int], size: int) -> list[Any]:
        return reader.read([texts[number] for number in numbers], size)

    compare(job, answer_file, Asked(texts, usual, told, alike=lambda one, other: {
        tuple(triple) for triple in one["triples"]} == {tuple(triple) for triple in other["triples"]}))


class Reader:
    """The bundle's weights in a class of transformers, with what its outputs mean."""

    def __init__(self, job: Job) -> None:
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(bundle_of(job))
        self.model = AutoModelForTokenClassification.from_pretrained(bundle_of(job)).eval()
        self.max_length = job.max_length
        self.names = [self.model.config.id2label[number] for number in range(self.model.config.num_labels)]
        self.tags = self.names.index("no-subject")
        half = (self.tags + len(self.names)) // 2
        self.relations = [name.partition(":")[2] for name in self.names[self.tags : half]]  # none is ""

    def read(self, texts: Sequence[str], size: int) -> list[dict[str, Any]]:
        """Return the entities and the triples of each text, in batches of so many rows."""
        spans = [own for part in in_batches(range(len(texts)), size) for own in self.tagged([texts[n] for n in part])]
        pairs = [(place, Marked(text, Argument(*one), Argument(*other)))
                 for place, (text, own) in enumerate(zip(texts, spans, strict=True))
                 for one in own for other in own if one != other]
        labels = [label for part in in_batches(range(len(pairs)), size)
                  for label in self.labelled([pairs[number][1] for number in part])]
        found: list[dict[str, Any]] = [{"entities": [list(one[:2]) for one in own], "triples": []} for own in spans]
        for (place, pair), label in zip(pairs, labels, strict=True):
            if label:
                two = (pair.head.start, pair.head.end, pair.tail.start, pair.tail.end)
                found[place]["triples"].append([*two, label])
        return found

    def tagged(self, texts: Sequence[str]) -> list[Spans]:
        """Return the spans of each text, by the likeliest tag of each token."""
        batch, logits = self._computed(texts)
        return [self._spans(batch, row, own) for row, own in enumerate(logits[..., : self.tags].argmax(-1).tolist())]

    def _spans(self, batch: Any, row: int, best: Sequence[int]) -> Spans:
        spans: Spans = []
        for token, number in enumerate(best):
            place, (begin, _, kind) = batch.token_to_chars(row, token), self.names[number].partition("-")
            if place is None or not kind:
                continue
            if begin == "I" and spans and spans[-1][1] >= place.start - 1:
                spans[-1] = (spans[-1][0], place.end, kind)
            elif begin == "B":
                spans.append((place.start, place.end, kind))
        return spans

    def labelled(self, pairs: Sequence[Marked]) -> list[str]:
        """Return the relation of each marked pair, by what its two marks say together."""
        marked = [written(pair) for pair in pairs]
        batch, logits = self._computed([one.text for one in marked])
        outputs, count = logits[..., self.tags :], len(self.relations)
        found = []
        for row, one in enumerate(marked):
            head, tail = (batch.char_to_token(row, place) or 0 for place in (one.head, one.tail))
            scores = outputs[row, head, :count] + outputs[row, tail, count:]
            found.append(self.relations[int(scores.argmax())])
        return found

    def _computed(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Return B texts as tokens, and the model's outputs, (B, T, C)."""
        import torch

        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.max_length,
                               return_tensors="pt")
        with torch.inference_mode():
            return batch, self.model(**batch).logits


if __name__ == "__main__":
    main(*sys.argv[1:3])
