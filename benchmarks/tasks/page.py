"""What ``docs/benchmarks.md`` says of each task: scores with intervals, minutes, memory, speed. From results alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks._table import replace_section
from benchmarks.tasks.counts import compare, score
from benchmarks.tasks.family import Family
from luthier.evaluation.intervals import Difference, Interval
from luthier.pipeline.files import whole_file

Results = dict[str, dict[str, Any]]
SIDES = ("luthier", "plain")
SAME = """\
Same pretrained weights, rows, epochs, batch and learning rate with warm-up and linear decay, bf16 on both sides, each
in a process of its own on every core. Luthier's side is the whole `luthier train` without its baseline, scored from
the bundle opened again; the script is a file of this repository. In brackets: 95 % intervals over the test rows, of a
paired bootstrap for differences; they do not cover the luck of the seed."""
SPEED = """\
Rows/s: the tuned bundle asked by Luthier, on the backend that it chose, and by {usual}, in turns in one process, on as
many threads; in batches (transformers: 32 rows in the order of the file) and one row at a time. Same answers: of both,
in the same run."""


def publish(results: Results, families: Mapping[str, Family], page: Path, command: str) -> None:
    """Put a section for each task into the page."""
    write(page, {f"tasks.{name}": section for name, section in sections(results, families, command).items()})


def write(page: Path, sections: Mapping[str, str]) -> None:
    """Put named sections into the page, in the places where they stand or at its end."""
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks"
    for name, section in sections.items():
        text = replace_section(text, section, {end: f"<!-- benchmarks.{name}: {end} -->" for end in ("begin", "end")})
    with whole_file(page) as file:
        file.write(text)


def sections(results: Results, families: Mapping[str, Family], command: str) -> dict[str, str]:
    """Return the page's section of each task that has results."""
    found = {}
    for name, family in families.items():
        own = [told for told in results.values() if told["family"] == name and told["sides"]]
        if own:
            found[name] = _section(family, own, command)
    return found


def summary(family: Family, told: Mapping[str, Any], side: str) -> str:
    """Return one line on a side that has ended: each metric of each test, minutes, memory."""
    run = told["sides"][side]
    figures = [f"{test + ' ' if test != 'test' else ''}{title} {100 * interval.value:.2f}"
               for test, scores in scores_of(family, run).items()
               for interval, title in ((scores[name], title) for name, title in family.METRICS.items())]
    return (f"{side:8} {', '.join(figures)}  {run['wall_seconds'] / 60:.1f} min in all, "
            f"{run['tuning_seconds'] / 60:.1f} tuning  {run['peak_mib']:,.0f} MiB")


def scores_of(family: Family, run: Mapping[str, Any]) -> dict[str, dict[str, Interval]]:
    """Return the metrics of each test of a side."""
    return {test: score(rows, family.figures) for test, rows in run["rows"].items()}


def _section(family: Family, results: Sequence[Mapping[str, Any]], command: str) -> str:
    titles = list(family.METRICS.values())
    head = ["data set", "model", "seed", "rows: train / test", f"{titles[0]}, Luthier", "script", "difference"]
    for title in titles[1:]:
        head += [f"{title}, Luthier", "script"]
    cost_head = ["data set", "model", "seed", "minutes in all, Luthier", "script", "minutes of tuning, Luthier",
                 "script", "peak MiB, Luthier", "script", "rows/s in batches, Luthier", "transformers",
                 "one at a time, Luthier", "transformers", "same answers"]
    notes = [f"- {told['title']}, {told['model']}: {' / '.join(f'{size:,}' for size in told['sizes'].values())} rows "
             f"for train, valid and test, {told['epochs']} epochs at {told['learning_rate']:g}, batches of "
             f"{told['batch_size']}, at most {told['max_length']} tokens; {told['note']}" for told in results]
    run = next(run for told in results for run in told["sides"].values())
    usual = fill(SPEED.format(usual=family.SPEED), 118, break_on_hyphens=False)
    return "\n".join([
        f"## {family.TITLE}: Luthier and the usual `transformers` script", "", SAME, "", family.INTRODUCTION, "",
        *grid(head, 4, (cells for told in results for cells in score_lines(family, told))), "",
        usual, "", *grid(cost_head, 3, map(cost_line, results)), "", *dict.fromkeys(notes), "",
        made(run), "", f"Command: `{command}`"]) + "\n"


def made(run: Mapping[str, Any]) -> str:
    """Return what a side ran on, and when."""
    versions = ", ".join(" ".join(one) for one in run["versions"].items())
    return f"Machine: {run['machine']}; {versions}; {run['started'][:10]}."


def grid(head: Sequence[str], words: int, lines: Iterator[list[str]] | map[list[str]]) -> Iterator[str]:
    """Yield a table whose first columns are words and the others numbers."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * words + "---:|" * (len(head) - words)
    for cells in lines:
        yield "| " + " | ".join(cells) + " |"


def score_lines(family: Family, told: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each test of a data set; a side that was not run has dashes."""
    sides = [told["sides"].get(side) for side in SIDES]
    scored = [scores_of(family, side) if side else None for side in sides]
    for test in next(one for one in scored if one):
        rows = [side["rows"][test] if side else [] for side in sides]
        title = told["title"] + (f", {test}" if test != "test" else "")
        cells = [title, told["model"], str(told["seed"]), f"{told['sizes']['train']:,} / {max(map(len, rows)):,}"]
        for place, metric in enumerate(family.METRICS):
            cells += [_value(one[test][metric] if one else None, interval=place == 0) for one in scored]
            if place == 0:
                differences = compare(rows[0], rows[1], family.figures) if all(rows) else None
                cells.append("-" if differences is None else apart(differences[metric]))
        yield cells


def cost_line(told: Mapping[str, Any]) -> list[str]:
    """Return the cells of what a data set took."""
    sides, speed = [told["sides"].get(side) for side in SIDES], told.get("speed")
    cells = [told["title"], told["model"], str(told["seed"])]
    for figure, unit, form in (("wall_seconds", 60, ".1f"), ("tuning_seconds", 60, ".1f"), ("peak_mib", 1, ",.0f")):
        cells += ["-" if side is None else format(side[figure] / unit, form) for side in sides]
    for name in ("luthier", "usual", "luthier, one", "usual, one"):
        cells.append("-" if speed is None else _rate(speed["speeds"][name]))
    return [*cells, "-" if speed is None else f"{100 * speed['agreement']:.1f} % of {speed['asked']}"]


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _value(found: Interval | None, *, interval: bool) -> str:
    if found is None:
        return "-"
    return f"{100 * found.value:.2f}" + (f" [{100 * found.low:.1f}, {100 * found.high:.1f}]" if interval else "")


def apart(found: Difference) -> str:
    """Return a difference with its interval, in points."""
    return f"{100 * found.value:+.2f} [{100 * found.low:+.2f}, {100 * found.high:+.2f}]".replace("-", "−")
