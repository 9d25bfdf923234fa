"""From rows to a data set: clean, sample, split, decide the label order, and report all of it.

The label order, the splits and the content hash are decided here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from luthier.data import numbers
from luthier.data.clean import (
    Found,
    Splits,
    averaged,
    consistent,
    count_near_duplicates,
    distinct,
    normalized,
    without_leaks,
)
from luthier.data.labels import natural_order
from luthier.data.report import DataReport
from luthier.data.spans import overlapping
from luthier.data.split import sample, stratified
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import ANSWERED, Dataset, Example, LabelSet, ProblemType
from luthier.text import dominant_language

NAMES = ("train", "valid", "test")
LEAST_ROWS = 10
"""Fewer rows than this can be neither learned from nor scored."""

_LANGUAGE_ROWS = 10_000
"""Rows, spread over all splits, that the language is told from."""
_MANY_LABELS = 0.5
"""Labels per row from which the label column is probably the wrong one."""


def prepare(train: Sequence[Example], valid: Sequence[Example] | None, test: Sequence[Example] | None,
            settings: PrepareSettings, seed: int, *,
            problem_type: ProblemType = "single_label_classification",
            number: str = "score") -> tuple[Dataset, DataReport]:
    """Clean and split labelled examples.

    Args:
        train: rows to learn from; split further for each of the other two that is not given.
        valid: rows for choosing the best step, if there is a file for them.
        test: rows for the final scores, if there is a file for them.
        settings: normal form, deduplication, shares, sample size.
        seed: decides the sample and the split; the same rows and seed give the same data set.
        problem_type: whether a row carries one label, several or none, labelled spans, answers, or a number.
        number: what the number is called, where rows carry one.

    Returns:
        Disjoint splits whose rows keep the order of their files, and the report on what happened.

    Raises:
        DataError: too few rows, one class or no entity only, unlabelled rows, or labels that train does not have.
    """
    given = _with_unique_ids({name: list(rows) for name, rows in zip(NAMES, (train, valid, test), strict=True)
                              if rows is not None})
    found, notes = Found(), list[str]()
    whole = problem_type == "regression" and numbers.whole(
        [row.value for rows in given.values() for row in rows if row.value is not None])
    splits: Splits = {}
    for name, rows in given.items():
        _check_labels(name, rows, problem_type)
        kept = distinct(normalized(rows, settings.normalize, found), found, drop=settings.deduplicate)
        if problem_type == "regression":
            kept = averaged(name, kept, found, drop=settings.deduplicate, whole=whole)
        elif problem_type not in ("multi_label_classification", "question_answering"):
            # Different labels of one row are all its labels; different answers to one question are all right.
            kept = consistent(name, kept, found, drop=settings.deduplicate)
        splits[name] = kept
    splits = without_leaks(splits, found, drop=settings.deduplicate)
    count_near_duplicates((row for rows in splits.values() for row in rows), found)
    if settings.max_rows is not None and len(splits["train"]) > settings.max_rows:
        notes.append(f"a sample of {settings.max_rows:,} of {len(splits['train']):,} rows is used (prepare.max_rows)")
        splits["train"] = _sample(splits["train"], settings.max_rows, seed, problem_type)
    _check_size(splits, given, found)
    names = (number,) if problem_type == "regression" else _label_names(splits["train"], problem_type)
    labels = LabelSet(names, problem_type)
    splits = _split(splits, settings, seed, notes, of_numbers=labels.of_numbers)
    _check_splits(splits, labels)
    if labels.of_numbers:
        labels = replace(labels, scale=numbers.scale_of(splits["train"]))
    notes.extend(_remarks(splits, labels))
    dataset = Dataset(**{name: tuple(splits[name]) for name in NAMES}, labels=labels, content_hash=content_hash(splits))
    return dataset, _report(dataset, given, found, settings, notes)


def content_hash(splits: Splits) -> str:
    """Return the sha256 over every row (split, id, text, pair, labels, and spans if any) in split order."""
    digest = hashlib.sha256()
    for name in NAMES:
        for row in splits[name]:
            values: list[object] = [name, row.id, row.text, row.text_b, row.labels]
            if row.spans is not None:
                values.append([[span.start, span.end, span.label] for span in row.spans])
            if row.value is not None:
                values.append(row.value)
            if row.answers is not None:
                values.append([[answer.text, answer.start] for answer in row.answers])
            line = json.dumps(values, ensure_ascii=True)
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _with_unique_ids(given: Splits) -> Splits:
    """Put the split before the ids when files of the same name, or the same file twice, would share them."""
    ids = [row.id for rows in given.values() for row in rows]
    if len(set(ids)) == len(ids):
        return given
    named = {name: [replace(row, id=f"{name}/{row.id}") for row in rows] for name, rows in given.items()}
    for name, rows in named.items():
        twice = [one for one, count in Counter(row.id for row in rows).items() if count > 1]
        if twice:
            raise DataError(f"{name}: {len(twice)} ids stand more than once, such as {twice[0]!r}",
                            "give every row its own id")
    return named


def _check_labels(name: str, rows: Sequence[Example], problem_type: ProblemType) -> None:
    if problem_type == "regression":
        numbers.values_of(rows)
        return
    if problem_type == "question_answering":
        _check_answers(name, rows)
        return
    of_spans = problem_type == "token_classification"
    bare = [row.id for row in rows if (row.spans if of_spans else row.labels) is None]
    if bare and of_spans:
        raise DataError(f"{name}: in {len(bare)} rows no entities are marked, such as {', '.join(bare[:3])}",
                        "give every row its spans or tags; a row without entities has an empty list, or O only")
    if bare:
        raise DataError(f"{name}: {len(bare)} rows have no label, such as {', '.join(bare[:3])}",
                        "label them, or leave them out; a label column is named with --label COLUMN")
    several = [row.id for row in rows if len(row.labels or ()) != 1]
    if several and problem_type == "single_label_classification":
        raise DataError(f"{name}: {len(several)} rows do not have exactly one label, such as {', '.join(several[:3])}",
                        "tell how several labels are written: --label-separator ';' (or lists in JSON)")


def _check_answers(name: str, rows: Sequence[Example]) -> None:
    bare = [row.id for row in rows if row.answers is None or row.text_b is None]
    if bare:
        raise DataError(f"{name}: {len(bare)} rows are no questions with context and answers, such as "
                        f"{', '.join(bare[:3])}",
                        "give every row a question, a context and a list of answers, empty where there is none")


def _check_size(splits: Splits, given: Splits, found: Found) -> None:
    usable = sum(len(rows) for rows in splits.values())
    read = sum(len(rows) for rows in given.values())
    if usable < LEAST_ROWS:
        lost = {"empty": found.empty, "duplicates": found.duplicates,
                "the same text with different labels": found.contradictory_rows,
                "in two files": sum(found.leaks.values())}
        why = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
        raise DataError(f"only {usable} usable rows (of {read} read{'; ' * bool(why) + why}); "
                        f"at least {LEAST_ROWS} are needed",
                        "label more rows: a few dozen for each label is a start, a few hundred is good")
    for name, rows in splits.items():
        if not rows:
            raise DataError(f"no row of {name} is left of {len(given[name])} after cleaning",
                            "check that it is another file than the others, or keep repeated rows: "
                            "prepare.deduplicate=false")


def _sample(rows: list[Example], size: int, seed: int, problem_type: ProblemType) -> list[Example]:
    if problem_type != "regression":
        return sample(rows, size, seed)
    return numbers.unbinned(sample(numbers.binned(rows), size, seed))


def _label_names(rows: Sequence[Example], problem_type: ProblemType) -> tuple[str, ...]:
    counts = Counter(label for row in rows for label in row.label_names)
    if problem_type == "token_classification":
        if not counts:
            raise DataError(f"no entity is marked in {len(rows):,} rows; there is nothing to learn",
                            "give rows with entities, or name another column: --label COLUMN")
        return natural_order(counts)
    if problem_type == "question_answering":
        if not counts:
            raise DataError(f"none of {len(rows):,} questions has an answer; there is nothing to learn",
                            "give rows with answers, or name another column: --label COLUMN")
        return (ANSWERED,)
    if not counts or (len(counts) == 1 and max(counts.values()) == len(rows)):
        only = f"the label {next(iter(counts))!r}" if counts else "no label"
        raise DataError(f"all {len(rows):,} rows carry {only}; there is nothing to tell apart",
                        "give rows of at least two labels, or name another column: --label COLUMN")
    if len(counts) > _MANY_LABELS * len(rows) and problem_type == "single_label_classification":
        few = ", ".join(repr(name) for name in list(counts)[:3])
        raise DataError(f"{len(counts):,} different labels in {len(rows):,} rows ({few}, …): that is no label to learn",
                        "name the right column: --label COLUMN; numbers are learned with --task regression")
    return natural_order(counts)


def _split(splits: Splits, settings: PrepareSettings, seed: int, notes: list[str], *, of_numbers: bool) -> Splits:
    """Split what is not given off train, in the shares of the settings."""
    missing = [name for name in NAMES if name not in splits]
    if not missing:
        return splits
    shares = {name: share for name, share in zip(NAMES, settings.split, strict=True) if name in ("train", *missing)}
    total = sum(shares.values())
    rows = numbers.binned(splits["train"]) if of_numbers else splits["train"]
    parts, whole = stratified(rows, {name: share / total for name, share in shares.items()}, seed)
    if of_numbers:
        return {**splits, **{name: numbers.unbinned(part) for name, part in parts.items()}}
    if whole:
        shown = ", ".join(repr(name) for name in natural_order(whole)[:10])
        notes.append(f"{len(whole)} label(s) with fewer than {len(shares)} distinct rows stand in train only, "
                     f"so no score speaks for them: {shown}")
    return {**splits, **parts}


def _check_splits(splits: Splits, labels: LabelSet) -> None:
    for name in NAMES:
        if not splits[name]:
            if labels.of_answers:
                raise DataError(f"no row is left for {name}: questions on one context, or one article, stay together",
                                f"give questions on more contexts, or a file for it: --{name} FILE")
            raise DataError(f"no row is left for {name}: too few rows of each label",
                            f"label more rows of each label, or give a file for it: --{name} FILE")
    for name in NAMES[1:]:
        unknown = {label for row in splits[name] for label in row.label_names} - set(labels.names)
        if unknown:
            shown = ", ".join(repr(label) for label in natural_order(unknown)[:10])
            known = ", ".join(repr(label) for label in labels.names[:10])
            raise DataError(f"{name} has {len(unknown)} label(s) that train does not have: {shown}; train has {known}",
                            "write the labels the same way in all files, or add rows of these labels to train")


def _remarks(splits: Splits, labels: LabelSet) -> list[str]:
    """Say what a person should know before trusting a score."""
    notes = _answer_remarks(splits) if labels.of_answers else []
    rare = {} if labels.of_answers or labels.of_numbers else _counts(splits["train"], labels)
    few = [name for name, count in rare.items() if count < LEAST_ROWS]
    if few:
        notes.append(f"{len(few)} label(s) have fewer than {LEAST_ROWS} {'entities' if labels.of_spans else 'rows'} "
                     "to learn from: "
                     + ", ".join(repr(name) for name in few[:10]))
    if len(splits["test"]) < 100:
        notes.append(f"only {len(splits['test'])} test rows: the scores will be uncertain by many points")
    one = labels.problem_type == "single_label_classification"
    separator = _separator_within(labels.names) if one else None
    if separator:
        notes.append(f"some labels look like several in one cell, such as {separator[1]!r}: if so, run again with "
                     f"--label-separator {separator[0]!r}")
    return notes


def _answer_remarks(splits: Splits) -> list[str]:
    rows = [row for split in splits.values() for row in split]
    moved = sum(any(answer.moved for answer in row.answers or ()) for row in rows)
    lost = sum(all(answer.start is None for answer in row.answers) for row in rows if row.answers)
    notes = []
    if moved:
        notes.append(f"{moved:,} questions had an answer that was not at its place and stands once in the context: it "
                     "is taken from there")
    if lost:
        notes.append(f"{lost:,} test questions have no answer that stands in the context: they count in the scores, "
                     "and cannot be answered rightly")
    return notes


def _separator_within(names: Sequence[str]) -> tuple[str, str] | None:
    """Return what seems to stand between several labels, with an example: all parts are labels and there are fewer."""
    for separator in (";", "|", "；", "、", "，", ","):
        joined = [name for name in names if separator in name]
        parts = {part.strip() for name in names for part in name.split(separator)}
        if len(joined) >= 2 and len(parts) < len(names):
            return separator, joined[0]
    return None


def _counts(rows: Sequence[Example], labels: LabelSet) -> dict[str, int]:
    counts = Counter(label for row in rows for label in row.label_names)
    return {name: counts[name] for name in labels.names}


def _report(dataset: Dataset, given: Splits, found: Found, settings: PrepareSettings, notes: list[str]) -> DataReport:
    rows = [row for _, split in dataset.splits() for row in split]
    language = dominant_language(row.text for row in rows[::max(1, len(rows) // _LANGUAGE_ROWS)])
    characters = [len(row.text) + len(row.text_b or "") for row in rows]
    lengths = np.quantile(characters, (0, 0.5, 0.95, 0.99, 1), method="lower")
    of_numbers = dataset.labels.of_numbers
    counts = {} if of_numbers else {name: _counts(split, dataset.labels) for name, split in dataset.splits()}
    present = [count for count in counts.get("train", {}).values() if count]
    return DataReport(
        rows_read={name: len(split) for name, split in given.items()},
        multi_label=dataset.labels.multi_label, normalize=settings.normalize, normalized=found.normalized,
        deduplicated=settings.deduplicate, empty=found.empty, duplicates=found.duplicates,
        contradictory_texts=found.contradictory_texts, contradictory_rows=found.contradictory_rows,
        contradictions=tuple(found.contradictions), near_duplicate_groups=found.near_duplicate_groups,
        near_duplicate_rows=found.near_duplicate_rows, leaks=found.leaks,
        split_sizes={name: len(split) for name, split in dataset.splits()}, label_counts=counts,
        imbalance=round(max(present) / min(present), 3) if present else 0.0,
        language=language.code, scripts=language.shares,
        lengths=dict(zip(("min", "median", "p95", "p99", "max"), (int(value) for value in lengths), strict=True)),
        content_hash=dataset.content_hash, notes=tuple(notes),
        split_ids={name: [row.id for row in split] for name, split in dataset.splits()},
        problem_type=dataset.labels.problem_type,
        without_entities={name: sum(not row.spans for row in split) for name, split in dataset.splits()
                          if dataset.labels.of_spans},
        unanswerable={name: sum(not row.answers for row in split) for name, split in dataset.splits()
                      if dataset.labels.of_answers},
        overlapping=sum(overlapping(sorted(row.spans)) for row in rows if row.spans),
        values={name: numbers.described(split) for name, split in dataset.splits() if of_numbers})
