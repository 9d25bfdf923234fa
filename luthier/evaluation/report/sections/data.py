"""What was read, what was left out, and how the rest was split. Shows whatever the data report holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import MINUS, both, clip, count, esc, percent, section, table
from luthier.text.figures import amount

_SPLITS = ("train", "valid", "test")
_LEFT_OUT = (
    ("bad_rows", "bad_rows"),
    ("empty", "empty"),
    ("duplicates", "duplicates"),
    ("contradictions", "contradictory_rows"),
    ("leaks", "leaks"),
)
"""Key of the words -> field of the data report."""
_FOLDED = 30
"""Beyond this many labels the table of labels folds away."""
_SAMPLES = 20


def data(report: Report) -> str:
    """Return the section on the data, or nothing without a data report."""
    given = report.data_report
    if not given:
        return ""
    sizes, labelled = _sizes(given), report.systems[report.main].kind.PAGE.labelled
    columns = f"<div>{_funnel(given, sizes)}</div><div>{_facts(given, labelled=labelled)}</div>"
    body = f'<div class="card">{_split_bar(sizes)}<div class="pair">{columns}</div></div>'
    body += _labels(given) if labelled else ""
    body += _values(given)
    body += _samples(given)
    notes = [str(note) for note in given.get("notes") or ()]
    if notes:
        body += f"<h3>{both('notes')}</h3><ul>{''.join(f'<li>{esc(note)}</li>' for note in notes)}</ul>"
    return section("data", both("data_lead"), body, report.command("data"))


def _sizes(given: Mapping[str, Any]) -> dict[str, int]:
    sizes = given.get("split_sizes") or {}
    return {split: int(sizes[split]) for split in _SPLITS if sizes.get(split)}


def _split_bar(sizes: Mapping[str, int]) -> str:
    parts = "".join(
        f'<span class="s-{split}" style="flex:{size}" title="{split}: {count(size)}">'
        f"{both(split)}&nbsp;{count(size)}</span>"
        for split, size in sizes.items()
    )
    return f'<div class="split">{parts}</div>' if parts else ""


def _total(value: Any) -> int:
    """Return a count that may be told for each split or pair of splits."""
    return sum(int(part) for part in value.values()) if isinstance(value, Mapping) else int(value or 0)


def _funnel(given: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """Return how many rows came, how many went for which reason, and how many stayed."""
    counted = given.get("deduplicated") is False
    rows = [[both("rows_read"), count(_total(given.get("rows_read")) + _total(given.get("bad_rows")))]]
    for key, name in _LEFT_OUT:
        number = _total(given.get(name))
        kept = counted and key not in {"bad_rows", "empty"}
        rows.append([both(key), f"({count(number)})" if kept else f"{MINUS if number else ''}{count(number)}"])
    rows.append([f"<b>{both('kept')}</b>", f"<b>{count(sum(sizes.values()))}</b>"])
    note = f'<p class="meta">{both("only_counted")}</p>' if counted else ""
    return table(["", both("rows")], rows) + note


def _facts(given: Mapping[str, Any], *, labelled: bool) -> str:
    facts = []
    if given.get("language"):
        facts.append((both("language"), both(given["language"])))
    if given.get("lengths"):
        facts.append(
            (
                both("lengths"),
                " · ".join(f"{both(name)} {count(int(value))}" for name, value in given["lengths"].items()),
            )
        )
    if given.get("imbalance") and labelled:
        facts.append((both("imbalance"), f"{given['imbalance']:.1f}"))
    if given.get("unanswerable"):
        parts = [f"{both(split)} {count(int(number))}" for split, number in given["unanswerable"].items()]
        facts.append((both("unanswerable"), " · ".join(parts)))
    if given.get("overlapping"):
        facts.append((both("overlapping"), count(given["overlapping"])))
    if given.get("near_duplicate_groups"):
        facts.append(
            (
                both("near_duplicates"),
                both(
                    "near_duplicates_counted" if given.get("deduplicated") is False else "near_duplicates_are",
                    groups=count(given["near_duplicate_groups"]),
                    rows=count(given.get("near_duplicate_rows", 0)),
                ),
            )
        )
    if given.get("normalize"):
        facts.append(
            (
                both("normalize"),
                both("normalized", form=str(given["normalize"]).upper(), rows=count(given.get("normalized", 0))),
            )
        )
    if given.get("content_hash"):
        facts.append((both("content_hash"), f"<code>{esc(str(given['content_hash'])[:16])}</code>"))
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts) + "</dl>"


def _labels(given: Mapping[str, Any]) -> str:
    """Return how many rows of each label stand in each split."""
    counts = given.get("label_counts")
    if not isinstance(counts, Mapping) or not counts:
        return ""
    splits = [split for split in _SPLITS if isinstance(counts.get(split), Mapping)]
    names = list(dict.fromkeys(name for split in splits for name in counts[split]))
    total = sum(int(value) for split in splits for value in counts[split].values()) or 1
    rows = []
    for name in names:
        each = [int(counts[split].get(name, 0)) for split in splits]
        rows.append([esc(name), *(count(value) for value in each), percent(sum(each) / total)])
    listed = table([both("label"), *(both(split) for split in splits), "%"], rows)
    title = both("per_label")
    if len(names) > _FOLDED:
        return f"<details><summary>{title} ({count(len(names))})</summary>{listed}</details>"
    return f'<h3>{title}</h3><div class="card">{listed}</div>'


def _values(given: Mapping[str, Any]) -> str:
    """Return minimum, mean, maximum and deviation of the numbers of each split."""
    values = given.get("values")
    if not isinstance(values, Mapping) or not values:
        return ""
    names = ("min", "mean", "max", "deviation")
    rows = [[both(split), *(amount(values[split][name], digits=6) for name in names)]
            for split in _SPLITS if split in values]
    listed = table(["", *(both(f"value_{name}") for name in names)], rows)
    return f'<h3>{both("values")}</h3><div class="card">{listed}</div>'


def _samples(given: Mapping[str, Any]) -> str:
    """Return some of the texts that carried different labels, and of the rows that could not be read."""
    rows = [
        [esc(clip(str(entry.get("text", "")), 120)), ", ".join(_chip(label) for label in entry.get("labels") or ())]
        for entry in list(given.get("contradictions") or ())[:_SAMPLES]
    ]
    bad = [
        [f"{esc(entry.get('file', ''))}:{esc(entry.get('line', ''))}", esc(entry.get("reason", ""))]
        for entry in list(given.get("bad_examples") or ())[:_SAMPLES]
    ]
    parts = [
        (key, table(["", ""], entries, text_columns=2))
        for key, entries in (("contradiction_samples", rows), ("bad_samples", bad))
        if entries
    ]
    return "".join(f"<details><summary>{both(key)}</summary>{listed}</details>" for key, listed in parts)


def _chip(label: Any) -> str:
    return esc("|".join(map(str, label)) if isinstance(label, list | tuple) else label)
