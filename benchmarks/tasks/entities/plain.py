"""The other side for entities: the usual script, words split beforehand, a tag at each word's first token.

``python -m benchmarks.tasks.entities.plain JOB.json ANSWER.json``
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._job import Job
from benchmarks._trainer import arguments_of, label_logits
from benchmarks.tasks.entities.sentences import Sentence, read_sentences, spans_of
from benchmarks.tasks.family import write_answer
from luthier.tasks._tags import names_of

IGNORED = -100


def main(job_file: str, answer_file: str) -> None:
    """Tune, keep the best epoch by entity F1 of the tags, and tag the test words by argmax."""
    job = Job.read(job_file)
    tags = names_of(job.labels)
    sentences = {split: read_sentences(Path(getattr(job, split))) for split in ("train", "valid", "test")}
    tagger = tuned(job, tags, sentences["train"], sentences["valid"])
    started = time.perf_counter()
    found = tagger.tag(sentences["test"])
    write_answer(answer_file, seconds=tagger.seconds, rows=len(found), answering=time.perf_counter() - started,
                 spans=found, steps=tagger.trainer.state.global_step)


@dataclass(frozen=True, slots=True)
class Tagger:
    """What the script leaves."""

    job: Job
    tags: tuple[str, ...]
    tokenizer: Any
    trainer: Any
    seconds: float
    """That tuning took."""

    def tag(self, sentences: list[Sentence]) -> list[list[list[Any]]]:
        """Return the spans of each sentence."""
        asked = encode(sentences, self.tokenizer, self.job, self.tags)
        return [tagged(sentence, row, scores, self.tags) for sentence, row, scores in zip(
            sentences, asked, label_logits(self.trainer, asked), strict=True)]


def tuned(job: Job, tags: tuple[str, ...], train: list[Sentence], valid: list[Sentence]) -> Tagger:
    """Learn tags, and keep the epoch with the best entity F1 of the validation sentences."""
    import torch
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        set_seed,
    )

    torch.set_num_threads(job.threads)
    set_seed(job.seed)
    tokenizer = AutoTokenizer.from_pretrained(job.model_path, add_prefix_space=True)
    model = AutoModelForTokenClassification.from_pretrained(
        job.model_path, id2label=dict(enumerate(tags)), label2id={name: number for number, name in enumerate(tags)})

    def metrics(evaluated: Any) -> dict[str, float]:
        from seqeval.metrics import f1_score

        shown = evaluated.label_ids != IGNORED  # (N, T)
        said, true = ([[tags[number] for number in row[keep]] for row, keep in zip(numbers, shown, strict=True)]
                      for numbers in (evaluated.predictions.argmax(-1), evaluated.label_ids))
        return {"f1_macro": float(f1_score(true, said))}  # the name that both sides' arguments look for

    trainer = Trainer(
        model=model, args=arguments_of(job), train_dataset=encode(train, tokenizer, job, tags),
        eval_dataset=encode(valid, tokenizer, job, tags), processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(tokenizer), compute_metrics=metrics)
    started = time.perf_counter()
    trainer.train()
    return Tagger(job, tags, tokenizer, trainer, time.perf_counter() - started)


def encode(sentences: list[Sentence], tokenizer: Any, job: Job, tags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return token ids and targets: that of its word at each first token, nothing at the others."""
    number = {name: place for place, name in enumerate(tags)}
    found = []
    for sentence in sentences:
        encoded = tokenizer(list(sentence.words), is_split_into_words=True, truncation=True, max_length=job.max_length)
        words = encoded.word_ids()
        first = [word is not None and word != before for word, before in zip(words, [None, *words], strict=False)]
        found.append({**{key: encoded[key] for key in encoded}, "labels": [
            number[sentence.tags[word]] if begins else IGNORED for word, begins in zip(words, first, strict=True)]})
    return found


def tagged(sentence: Sentence, row: dict[str, Any], scores: Any, tags: tuple[str, ...]) -> list[list[Any]]:
    """Return the spans of a sentence's words; words that were cut have none."""
    keep = np.array(row["labels"]) != IGNORED
    said = [tags[number] for number in scores[: len(keep)][keep].argmax(-1)]
    return spans_of(Sentence(sentence.words, tuple(said) + ("O",) * (len(sentence.words) - len(said)),
                             sentence.places, sentence.text))


if __name__ == "__main__":
    main(*sys.argv[1:3])
