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

from luthier.data.cells.labels import natural_order
from luthier.data.cells.paths import levelled
from luthier.data.clean import (
    Found,
    Leaking,
    Splits,
    count_near_duplicates,
    distinct,
    nearly_equal,
    normalized,
    without_leaks,
)
from luthier.data.counting import LEAST_ROWS
from luthier.data.kind import Kind, kind_of
from luthier.data.report import DataReport
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Dataset, Example, ProblemType
from luthier.text import dominant_language

NAMES = ("train", "valid", "test")
_LANGUAGE_ROWS = 10_000
"""Rows, spread over all splits, that the language is told from."""
_MANY_ROWS = 100
"""Test rows from which scores are worth a point or two."""


def prepare(train: Sequence[Example], valid: Sequence[Example] | None, test: Sequence[Example] | None,
            settings: PrepareSettings, seed: int, *,
            problem_type: ProblemType = "single_label_classification",
            number: str = "score", levels: str | None = None) -> tuple[Dataset, DataReport]:
    """Clean and split labelled examples.

    Args:
        train: rows to learn from; split further for each of the other two that is not given.
        valid: rows for choosing the best step, if there is a file for them.
        test: rows for the final scores, if there is a file for them.
        settings: normal form, deduplication, shares, sample size.
        seed: decides the sample and the split; the same rows and seed give the same data set.
        problem_type: whether a row carries one label, several or none, labelled spans, answers, or a number.
        number: what the number is called, where rows carry one.
        levels: what stands between the levels of a label, ``none`` where labels have none; when left out the labels
            tell.

    Returns:
        Disjoint splits whose rows keep the order of their files, and the report on what happened.

    Raises:
        DataError: too few rows, one class or no entity only, unlabelled rows, or labels that train does not have.
    """
    given = _with_unique_ids({name: list(rows) for name, rows in zip(NAMES, (train, valid, test), strict=True)
                              if rows is not None})
    found, notes, kind = Found(), list[str](), kind_of(problem_type)
    splits: Splits = {}
    for name, rows in given.items():
        kind.check(name, rows)
        kept = normalized(rows, lambda row: kind.normal(row, settings.normalize), found)
        if hasattr(kind, "gathered"):
            kept = _gathered(name, kept, kind, notes)
        splits[name] = distinct(kept, kind.target, found, drop=settings.deduplicate)
    splits = kind.settled(splits, found, drop=settings.deduplicate)
    leaking: Leaking = getattr(kind, "leaking", nearly_equal)
    splits = without_leaks(splits, found, leaking, drop=settings.deduplicate)
    count_near_duplicates((row for rows in splits.values() for row in rows), found)
    if settings.max_rows is not None and len(splits["train"]) > settings.max_rows:
        notes.append(f"a sample of {settings.max_rows:,} of {len(splits['train']):,} rows is used (prepare.max_rows)")
        splits["train"] = kind.sampled(splits["train"], settings.max_rows, seed)
    _check_size(splits, given, found, kind)
    names = kind.label_names(splits["train"], number)
    notes.extend(found.notes)
    splits = _split(splits, settings, seed, kind, notes)
    _check_splits(splits, names, kind)
    labels = levelled(kind.label_set(names, splits["train"]), levels)
    notes.extend(kind.remarks(splits, labels))
    if len(splits["test"]) < _MANY_ROWS:
        notes.append(f"only {len(splits['test'])} test rows: the scores will be uncertain by many points")
    dataset = Dataset(**{name: tuple(splits[name]) for name in NAMES}, labels=labels,
                      content_hash=content_hash(splits, kind))
    return dataset, _report(dataset, given, found, settings, notes)


def content_hash(splits: Splits, kind: Kind) -> str:
    """Return the sha256 over every row (split, id, text, pair, labels, and what else its kind has) in split order."""
    digest = hashlib.sha256()
    for name in NAMES:
        for row in splits[name]:
            line = json.dumps([name, row.id, row.text, row.text_b, row.labels, *kind.hashed(row)], ensure_ascii=True)
            digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _gathered(name: str, rows: list[Example], kind: Kind, notes: list[str]) -> list[Example]:
    """Join the rows that are one example together, and say how many are left."""
    found: list[Example]
    found, told = kind.gathered(rows)  # type: ignore[attr-defined]  # few kinds have it
    notes.extend(f"{name}: {text}" for text in told)
    if len(found) < len(rows):
        notes.append(f"{name}: {len(rows):,} rows are {len(found):,}, {kind.REPEATED[1]}")
    return found


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


def _check_size(splits: Splits, given: Splits, found: Found, kind: Kind) -> None:
    usable = sum(len(rows) for rows in splits.values())
    read = sum(len(rows) for rows in given.values())
    if usable < LEAST_ROWS:
        lost = {"empty": found.empty, "duplicates": found.duplicates,
                "the same text with different labels": found.contradictory_rows,
                "in two files": sum(found.leaks.values())}
        why = ", ".join(f"{count} {name}" for name, count in lost.items() if count)
        raise DataError(f"only {usable} usable rows (of {read} read{'; ' * bool(why) + why}); "
                        f"at least {LEAST_ROWS} are needed",
                        "give more documents, or part long ones: in a plain text file by blank lines"
                        if getattr(kind, "UNLABELLED", False) else
                        "equal texts have different labels: if another column tells them apart, its task must be asked "
                        "for (--task), or the second text named (--text-b COLUMN); entities stand in one row a text"
                        if 2 * found.contradictory_rows > read else
                        "label more rows: a few dozen for each label is a start, a few hundred is good")
    for name, rows in splits.items():
        if not rows:
            raise DataError(f"no row of {name} is left of {len(given[name])} after cleaning",
                            "check that it is another file than the others, or keep repeated rows: "
                            "prepare.deduplicate=false")


def _split(splits: Splits, settings: PrepareSettings, seed: int, kind: Kind, notes: list[str]) -> Splits:
    """Split what is not given off train, in the shares of the settings."""
    missing = [name for name in NAMES if name not in splits]
    if not missing:
        return splits
    shares = {name: share for name, share in zip(NAMES, settings.split, strict=True) if name in ("train", *missing)}
    total = sum(shares.values())
    parts, whole, told = kind.divided(splits["train"], {name: share / total for name, share in shares.items()}, seed)
    notes.extend(told)
    if whole:
        shown = ", ".join(repr(name) for name in natural_order(whole)[:10])
        notes.append(f"{len(whole)} label(s) with fewer than {len(shares)} distinct rows stand in train only, "
                     f"so no score speaks for them: {shown}")
    return {**splits, **parts}


def _check_splits(splits: Splits, names: Sequence[str], kind: Kind) -> None:
    for name in NAMES:
        if not splits[name]:
            problem, fix = kind.NONE_LEFT
            raise DataError(problem.format(name=name), fix.format(name=name))
    for name in NAMES[1:]:
        unknown = {label for row in splits[name] for label in row.label_names} - set(names)
        if unknown:
            shown = ", ".join(repr(label) for label in natural_order(unknown)[:10])
            known = ", ".join(repr(label) for label in names[:10])
            raise DataError(f"{name} has {len(unknown)} label(s) that train does not have: {shown}; train has {known}",
                            "write the labels the same way in all files, or add rows of these labels to train")


def _report(dataset: Dataset, given: Splits, found: Found, settings: PrepareSettings, notes: list[str]) -> DataReport:
    rows = [row for _, split in dataset.splits() for row in split]
    language = dominant_language(row.text for row in rows[::max(1, len(rows) // _LANGUAGE_ROWS)])
    characters = [len(row.text) + len(row.text_b or "") for row in rows]
    lengths = np.quantile(characters, (0, 0.5, 0.95, 0.99, 1), method="lower")
    kind = kind_of(dataset.labels.problem_type)
    splits = {name: list(split) for name, split in dataset.splits()}
    filled = {"label_counts": {}, "imbalance": 0.0, **kind.described(splits, dataset.labels)}
    return DataReport(
        rows_read={name: len(split) for name, split in given.items()},
        multi_label=dataset.labels.multi_label, normalize=settings.normalize, normalized=found.normalized,
        deduplicated=settings.deduplicate, empty=found.empty, duplicates=found.duplicates,
        contradictory_texts=found.contradictory_texts, contradictory_rows=found.contradictory_rows,
        contradictions=tuple(found.contradictions), near_duplicate_groups=found.near_duplicate_groups,
        near_duplicate_rows=found.near_duplicate_rows, leaks=found.leaks,
        split_sizes={name: len(split) for name, split in dataset.splits()},
        language=language.code, scripts=language.shares,
        lengths=dict(zip(("min", "median", "p95", "p99", "max"), (int(value) for value in lengths), strict=True)),
        content_hash=dataset.content_hash, notes=tuple(notes),
        split_ids={name: [row.id for row in split] for name, split in dataset.splits()},
        problem_type=dataset.labels.problem_type, **filled)
