"""From the results file to the published tables. Every figure is computed from the stored choices of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks._results import Results
from luthier.evaluation import Difference, paired_bootstrap
from luthier.schema import Bool, Int64
from luthier.tasks import averages, counts

LIMIT = 0.5
"""Points of accuracy or macro F1 that Luthier may score lower on any data set."""
LEAK_SHOWN = 0.01
"""Share of test rows that stand in train from which the other rows get a line of their own."""
RESAMPLES = 2000
METRICS = {"accuracy": "accuracy", "f1_macro": "macro F1"}
"""Field of a line -> what it is called on the page."""
INTRODUCTION = """\
Same weights (the new head's too), rows, label order, epochs, learning rate, batch size, warm-up, weight decay, cut of
long texts and rule for the best epoch (macro F1 on the validation rows). Each side runs in a process of its own on
every core. Luthier's side is the whole `luthier train` without its baseline, scored with the predictor that serves,
from the bundle opened again; the other side is the usual script with bf16 and length groups (`benchmarks/_trainer.py`).
Differences are Luthier minus Trainer in points. A seed decides the new head, the order of the rows and the dropout of
both sides."""

EACH = "With the 95 % interval of a paired bootstrap over the test rows, which does not cover the luck of the seed."
TRIAL = "**A trial with one seed on a few rows of each file: no result.**"


@dataclass(frozen=True, slots=True)
class Line:
    """Both sides on the same test rows. Scores are in [0, 1], differences are Luthier minus Trainer."""

    title: str
    seed: int
    rows: int
    accuracy: tuple[float, float]
    f1_macro: tuple[float, float]
    differences: dict[str, Difference]
    """``accuracy`` and ``f1_macro`` -> difference with its paired bootstrap interval over the test rows."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The lines of one data set, over its seeds."""

    title: str
    seeds: int
    rows: int
    scores: dict[str, tuple[float, float]]
    """Metric -> mean of Luthier and of the Trainer, in [0, 1]."""
    differences: dict[str, tuple[float, float | None]]
    """Metric -> mean difference and its standard error over the seeds; one seed tells of no error."""


def markdown(results: Results) -> str:
    """Return the whole section: scores, cost, settings, conditions."""
    lines = list(compare(results))
    means = average(lines)
    limit = max((record.get("rows_limit") or 0 for record in results.datasets.values()), default=0)
    trial = limit and any(mean.seeds == 1 for mean in means)
    parts = [
        f"## Accuracy{f' on at most {limit:,} rows of each file' if limit else ''}: Luthier and `transformers.Trainer`",
        INTRODUCTION, _means(means), TRIAL if trial else verdict(means),
        "### Time and memory", _cost(results), "### Each seed", EACH, _scores(lines),
        "### Settings of both sides", _settings(results),
        "### Data", _sources(results), "### Conditions", _conditions(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def compare(results: Results) -> Iterator[Line]:
    """Yield one line for each data set and seed that both sides have ended, and one for its leak-free test rows."""
    for name, seed, *runs in results.ended():
        record = results.datasets[name]
        truth = np.array(record["truth"], dtype=np.int64)  # (N,)
        chosen = [np.array(run["chosen"], dtype=np.int64) for run in runs]  # two of (N,)
        classes, title = len(record["labels"]), record["bench"]["title"]
        yield _line(title, seed, truth, chosen, classes)
        clean = np.array(record["clean"], dtype=np.bool_)  # (N,)
        if 0 < clean.sum() < (1 - LEAK_SHOWN) * len(clean):
            yield _line(f"{title}, test rows not in train", seed, truth[clean], [one[clean] for one in chosen], classes)


def average(lines: Sequence[Line]) -> list[Mean]:
    """Return the mean of each data set over its seeds, in the order of the lines."""
    means = []
    for title in dict.fromkeys(line.title for line in lines):
        own = [line for line in lines if line.title == title]
        scores, differences = {}, {}
        for metric in METRICS:
            both = np.array([getattr(line, metric) for line in own])  # (seeds, 2)
            ours, theirs = both.mean(axis=0)
            apart = both[:, 0] - both[:, 1]  # (seeds,)
            error = float(apart.std(ddof=1) / np.sqrt(len(own))) if len(own) > 1 else None
            scores[metric], differences[metric] = (float(ours), float(theirs)), (float(apart.mean()), error)
        means.append(Mean(title, len(own), own[0].rows, scores, differences))
    return means


def verdict(means: Sequence[Mean]) -> str:
    """Say in one sentence whether Luthier is anywhere more than ``LIMIT`` points lower."""
    if not means:
        return ""
    points, metric, mean = min(
        ((100 * mean.differences[metric][0], metric, mean) for mean in means for metric in METRICS),
        key=lambda one: one[0])
    kept = (f"no data set is more than {LIMIT} points lower" if points >= -LIMIT
            else f"**that is over the limit of {LIMIT} points**")
    return f"Luthier's lowest difference is {_signed(points)} points ({METRICS[metric]}, {mean.title}): {kept}."


def _line(title: str, seed: int, truth: Int64, chosen: Sequence[Int64], classes: int) -> Line:
    means = [averages(*counts(truth, one, classes), multi_label=False) for one in chosen]
    right = [float((truth == one).mean()) for one in chosen]
    ours, theirs = (_membership(one, classes) for one in chosen)
    differences = paired_bootstrap(_membership(truth, classes), ours, theirs, resamples=RESAMPLES, seed=seed)
    return Line(title, seed, len(truth), (right[0], right[1]),
                (float(means[0]["f1_macro"]), float(means[1]["f1_macro"])),
                {metric: differences[metric] for metric in ("accuracy", "f1_macro")})


def _membership(numbers: Int64, classes: int) -> Bool:
    """Turn class numbers (N,) int64 into (N, C) bool."""
    return np.asarray(numbers[:, None] == np.arange(classes))


def _means(means: Sequence[Mean]) -> str:
    rows = []
    for mean in means:
        cells = [mean.title, str(mean.seeds), f"{mean.rows:,}"]
        for metric in METRICS:
            points, error = mean.differences[metric]
            cells += [*map(_percent, mean.scores[metric]),
                      _signed(100 * points) + ("" if error is None else f" ± {_percent(error)}")]
        rows.append(cells)
    return _grid(["data set", "seeds", "test rows", "accuracy, Luthier", "accuracy, Trainer", "difference ± its error",
                  "macro F1, Luthier", "macro F1, Trainer", "difference ± its error"], rows)


def _scores(lines: Sequence[Line]) -> str:
    rows = [[line.title, str(line.seed), f"{line.rows:,}", *(_percent(value) for value in line.accuracy),
             _interval(line.differences["accuracy"]), *(_percent(value) for value in line.f1_macro),
             _interval(line.differences["f1_macro"])] for line in lines]
    return _grid(["data set", "seed", "test rows", "accuracy, Luthier", "accuracy, Trainer", "difference",
                  "macro F1, Luthier", "macro F1, Trainer", "difference"], rows)


def _cost(results: Results) -> str:
    rows = []
    for name, seed, ours, theirs in results.ended():
        rows.append([results.datasets[name]["bench"]["title"], str(seed),
                     *(f"{run['wall_seconds'] / 60:.1f}" for run in (ours, theirs)),
                     *(f"{run['tuning_seconds'] / 60:.1f}" for run in (ours, theirs)),
                     f"{theirs['tuning_seconds'] / ours['tuning_seconds']:.1f}x",
                     *(f"{run['peak_mib']:,.0f}" for run in (ours, theirs))])
    return _grid(["data set", "seed", "minutes in all, Luthier", "Trainer", "minutes of tuning, Luthier", "Trainer",
                  "Luthier is faster by", "peak memory in MiB, Luthier", "Trainer"], rows)


def _settings(results: Results) -> str:
    rows = []
    for record in results.datasets.values():
        bench, sizes = record["bench"], record["sizes"]
        rows.append([bench["title"], bench["model"], f"{len(record['labels'])}",
                     " / ".join(f"{sizes[split]:,}" for split in ("train", "valid", "test")), str(bench["epochs"]),
                     f"{bench['learning_rate']:g}", str(bench["batch_size"]), str(bench["max_length"]), bench["note"]])
    first = next(iter(results.datasets.values()))["bench"] if results.datasets else {}
    table = _grid(["data set", "model", "labels", "rows: train / valid / test", "epochs", "learning rate", "batch",
                   "most tokens", "rows are"], rows)
    return table if not first else (
        f"{table}\n\nWarm-up {first['warmup_ratio']:g} of the steps, then {first['scheduler']} decay; weight decay "
        f"{first['weight_decay']:g}; gradient norm at most 1; no class weights, no early stop; the model's own "
        "dropout, except that Luthier drops no attention weights (its default).")


def _sources(results: Results) -> str:
    lines = []
    for record in results.datasets.values():
        bench = record["bench"]
        lines.append(f"- {bench['title']}: `{bench['train'].split('/')[0]}/`, from {bench['source']}")
    return "\n".join(["One folder for each below `--data`, with JSON lines of `text` and `label`:", "", *lines])


def _conditions(results: Results) -> str:
    machines = sorted({run["machine"] for run in results.runs})
    versions = sorted({", ".join(f"{name} {number}" for name, number in run["versions"].items())
                       for run in results.runs})
    dates = sorted({run["started"][:10] for run in results.runs})
    entries = [f"Machine: {one}" for one in machines] + [f"Versions: {one}" for one in versions]
    seeds = sorted({run["seed"] for run in results.runs})
    entries += [f"Seeds: {', '.join(map(str, seeds))} (rows are sampled and split with seed 0)",
                f"Date: {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}"] if dates else []
    return "\n".join(f"- {one}" for one in [*entries, f"Command: `{results.command}`"])


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    rule = ["---:" if column and _looks_numeric(column) else "---" for column in columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _looks_numeric(column: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell[:1] in "+−" for cell in column)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _signed(points: float) -> str:
    rounded = round(points, 2) + 0.0  # no minus before a zero
    return f"{rounded:+.2f}".replace("-", "−")


def _interval(difference: Difference) -> str:
    low, high = (_signed(100 * value) for value in (difference.low, difference.high))
    return f"{_signed(100 * difference.value)} [{low}, {high}]"


def replace_section(page: str, section: str, marks: Mapping[str, str]) -> str:
    """Return a page with what stands between the two marks replaced, or with the section added at its end."""
    begin, end = marks["begin"], marks["end"]
    body = f"{begin}\n{section.strip()}\n{end}\n"
    if begin in page and end in page:
        rest = page[page.index(end) + len(end):].lstrip("\n")
        return page[:page.index(begin)] + body + (f"\n{rest}" if rest else "")
    return page.rstrip("\n") + "\n\n" + body
