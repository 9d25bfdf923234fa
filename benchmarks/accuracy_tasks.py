"""Luthier against the usual ``transformers`` script on every task but classification: scores, minutes, memory, speed.

    python -m benchmarks.accuracy_tasks --data DIR --out docs/benchmarks.md       # all; hours on two cores
    python -m benchmarks.accuracy_tasks --data DIR --only conll2003 --rows 2000 --seed 1
    python -m benchmarks.accuracy_tasks --data DIR --only conll2003 --model PATH-TO-bert-base-cased

Both sides start from the same weights and see the same rows, epochs, batch and learning rate, and run alone, one
after the other, each in a fresh process. Sides that the results file holds are not run again.
``python -m benchmarks.accuracy --suite quick`` runs small samples of these and of the classification sets.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from benchmarks._job import Job
from benchmarks._machine import heading
from benchmarks._sides import run_side
from benchmarks._table import replace_section
from benchmarks.tasks.family import Bench, Family, Limits, Prepared
from luthier.errors import LuthierError
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.pipeline.files import whole_file

FAMILIES = ("entities", "relations", "answers")
"""Folders of ``benchmarks/tasks/``, in the order of the page."""
SIDES = ("luthier", "plain")
RESULTS = Path("build/tasks.json")
Results = dict[str, dict[str, Any]]
FIGURES = (("wall_seconds", 60, ".1f"), ("peak_mib", 1, ",.0f"), ("rows_per_second", 1, ",.0f"))
"""Of a side's entry: name, unit and form on the page."""
SAME = """\
Same weights, rows, epochs, batch and learning rate with warm-up and linear decay, bf16 on both sides, each in a process
of its own on every core. Luthier's side is the whole `luthier train`, scored from the bundle opened again. Rows/s are
those of the test rows, from texts to answers, the script's by its own loop."""


@dataclass(frozen=True, slots=True)
class Options:
    """What both sides of every data set are told."""

    data: Path
    seed: int = 1
    threads: int = 0
    limits: Limits = Limits()
    """Most rows, over those of the data set."""
    json: Path = RESULTS
    """Results file; it grows as each side ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    known = {name: (family, bench) for family, module in families() for name, bench in module.SETS.items()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy_tasks",
                                     description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with one folder for each data set")
    add("--only", action="append", choices=known, help="one or several; all when left out")
    add("--model", help="another model: packaged name, hub id or directory")
    add("--seed", type=int, default=1)
    add("--rows", type=int, help="at most this many rows of each file, for a trial")
    add("--threads", type=int, default=cores(), help="CPU threads of each side; all cores when left out")
    add("--json", type=Path, default=RESULTS, help="results file; ended sides are not run again")
    add("--out", type=Path, help="page to put the tables into")
    said = parser.parse_args(arguments)
    options = Options(said.data, said.seed, said.threads, Limits(said.rows, said.rows), said.json)
    try:
        print(heading(said.threads), flush=True)
        results = load(said.json)
        for name in said.only or known:
            family, bench = known[name]
            measure(name, family, bench if said.model is None else replace(bench, model=said.model), options, results)
        print("\n".join(sections(results).values()))
        if said.out is not None:
            publish(results, said.out)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on with the sides that are left", file=sys.stderr)
        return 130
    return 0


def measure_all(options: Options, results: Results, *, quick: bool) -> None:
    """Run both sides on every data set, or on the quick ones with few rows."""
    for family, module in families():
        for name, bench in module.SETS.items():
            if not quick:
                measure(name, family, bench, options, results)
            elif bench.quick is not None:
                measure(name, family, bench, replace(options, limits=Limits(*bench.quick)), results)


def families() -> Iterator[tuple[str, Family]]:
    """Yield each folder's name and module."""
    for name in FAMILIES:
        yield name, cast(Family, import_module(f"benchmarks.tasks.{name}"))


def load(path: Path) -> Results:
    """Return the results that a file holds."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def measure(name: str, family: str, bench: Bench, options: Options, results: Results) -> None:
    """Run both sides on a data set, unless they are among the results, and print what came."""
    module = dict(families())[family]
    with tempfile.TemporaryDirectory(prefix="luthier-tasks-") as place:
        prepared = module.prepare(bench, options.data, Path(place), options.limits)
        sizes = dict(prepared.sizes)
        key = " ".join(map(str, (name, Path(bench.model).name, options.seed, *sizes.values())))
        told = results.setdefault(key, {"family": family, "title": bench.title, "model": Path(bench.model).name,
                                        "seed": options.seed, "note": bench.note, "epochs": bench.epochs,
                                        "learning_rate": bench.learning_rate, "sizes": sizes, "sides": {}})
        for side in SIDES:
            if side not in told["sides"]:
                run = run_side(bench.title, side, job_of(bench, prepared, options),
                               module=f"benchmarks.tasks.{family}.{side}")
                told["sides"][side] = {**_figures(run), "scores": module.score(prepared, run)}
                options.json.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(options.json) as file:
                    json.dump(results, file, ensure_ascii=False, indent=1)
            print(f"{key} {side}: {told['sides'][side]['scores']} "
                  f"{told['sides'][side]['wall_seconds'] / 60:.1f} min", flush=True)


def job_of(bench: Bench, prepared: Prepared, options: Options) -> Job:
    """Return what both sides are told. A packaged model is converted here, on nobody's clock."""
    return Job(model=bench.model, model_path=str(resolve(bench.model).path), **prepared.files, labels=prepared.labels,
               seed=options.seed, epochs=bench.epochs, learning_rate=bench.learning_rate, batch_size=bench.batch_size,
               max_length=bench.max_length, warmup_ratio=0.1, weight_decay=0.01, scheduler="linear",
               threads=options.threads or cores())


def _figures(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a side's entry keeps: figures, no answers."""
    return {name: value for name, value in run.items() if name == "warnings" or not isinstance(value, list)}


def publish(results: Results, page: Path) -> None:
    """Put a section for each task into the page."""
    text = page.read_text(encoding="utf-8")
    for family, section in sections(results).items():
        marks = {end: f"<!-- benchmarks.tasks.{family}: {end} -->" for end in ("begin", "end")}
        text = replace_section(text, section, marks)
    with whole_file(page) as file:
        file.write(text)


def sections(results: Results) -> dict[str, str]:
    """Return the page's section of each task that has results."""
    found = {}
    for name, module in families():
        own = [told for told in results.values() if told["family"] == name and told["sides"]]
        if own:
            found[name] = _section(module, own)
    return found


def _section(family: Family, results: Sequence[Mapping[str, Any]]) -> str:
    head = ["data set", "model", "seed", "train rows"]
    for title in family.METRICS.values():
        head += [f"{title}, Luthier", "script"]
    head[6:6] = ["difference"]
    head += ["minutes in all, Luthier", "script", "peak MiB, Luthier", "script", "rows/s answered, Luthier", "script"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * 2 + "---:|" * (len(head) - 2)]
    for told in results:
        lines += ["| " + " | ".join(cells) + " |" for cells in _lines(family, told)]
    notes = [f"- {told['title']}, {told['model']}: {' / '.join(f'{size:,}' for size in told['sizes'].values())} rows "
             f"for train, valid and test, {told['epochs']} epochs at {told['learning_rate']:g}; {told['note']}"
             for told in results]
    run = next(run for told in results for run in told["sides"].values())
    made = f"Machine: {run['machine']}; {', '.join(' '.join(one) for one in run['versions'].items())}."
    return "\n".join([f"## {family.TITLE}: Luthier and the usual `transformers` script", "", SAME, "",
                      family.INTRODUCTION, "", *lines, "", *dict.fromkeys(notes), "", made, "",
                      "Command: `python -m benchmarks.accuracy_tasks --data DIR --out docs/benchmarks.md`"]) + "\n"


def _lines(family: Family, told: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each test of a data set; a side that was not run has dashes, figures stand once."""
    sides = [told["sides"].get(side) for side in SIDES]
    tests = next(side["scores"] for side in sides if side)
    for place, test in enumerate(tests):
        title = told["title"] + (f", {test}" if len(tests) > 1 else "")
        cells = [title, told["model"], str(told["seed"]), f"{told['sizes']['train']:,}"]
        for number, metric in enumerate(family.METRICS):
            values = [side and 100 * side["scores"][test][metric] for side in sides]
            cells += [_cell(value, ".2f") for value in values]
            if number == 0:
                cells.append("-" if None in values else f"{values[0] - values[1]:+.2f}")
        for figure, unit, form in FIGURES:
            cells += [_cell(side and side[figure] / unit if place == 0 else None, form) for side in sides]
        yield cells


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)


if __name__ == "__main__":
    sys.exit(main())
