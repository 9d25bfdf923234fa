"""Relations of the tuned bundle: Luthier beside a loop that reads the head at both marks, as no pipeline does.

``python -m benchmarks.tasks.relations.speed JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._job import Job
from benchmarks.tasks.family import read_lines
from benchmarks.tasks.speed import Asked, bundle_of, compare, in_batches, spread
from luthier.schema import Argument, Marked
from luthier.text import written

ROWS = 256


def main(job_file: str, answer_file: str) -> None:
    """Ask both for the test pairs."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    job = Job.read(job_file)
    rows = [Marked(row["text"], Argument(**row["head"]), Argument(**row["tail"]))
            for row in spread(read_lines(Path(job.test)), ROWS)]
    tokenizer = AutoTokenizer.from_pretrained(bundle_of(job))
    model = AutoModelForTokenClassification.from_pretrained(bundle_of(job)).eval()
    names = [model.config.id2label[number].partition(":")[2] for number in range(len(job.labels))]

    def usual(numbers: Sequence[int], size: int) -> list[str]:
        found = []
        for part in in_batches(numbers, size):
            marked = [written(rows[number]) for number in part]
            batch = tokenizer([one.text for one in marked], padding=True, truncation=True, max_length=job.max_length,
                              return_tensors="pt")
            with torch.inference_mode():
                logits = model(**batch).logits  # (B, T, 2 C)
            for row, one in enumerate(marked):
                places = [batch.char_to_token(row, place) or 0 for place in (one.head, one.tail)]
                scores = logits[row, places[0], : len(names)] + logits[row, places[1], len(names) :]
                found.append(names[int(scores.argmax())])
        return found

    compare(job, answer_file, Asked(rows, usual, lambda answer: answer.label))


if __name__ == "__main__":
    main(*sys.argv[1:3])
