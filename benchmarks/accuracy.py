"""Luthier against ``transformers.Trainer`` on public data sets: scores, minutes and peak memory.

    python -m benchmarks.accuracy --data DIR --seed 1,2,3               # all five; about 40 minutes a seed on two cores
    python -m benchmarks.accuracy --data DIR --only sst2 --rows 200     # a trial, printed only
    python -m benchmarks.accuracy --data DIR --rows 4000 --seed 1,2,3,4,5 --out docs/benchmarks.md   # samples
    python -m benchmarks.accuracy --data DIR --seed 1,2,3 --resume-from benchmarks/results/accuracy.json

The last of these adds what is missing to the published results; with ``--again luthier`` it measures Luthier's side
anew, as after a change of the loop, and keeps the other. Other tasks have ``benchmarks.accuracy_tasks``; all together:

    python -m benchmarks.accuracy --data DIR --suite quick      # samples, every task, half an hour; printed only
    python -m benchmarks.accuracy --data DIR --suite quick --out docs/benchmarks.md     # the same, onto the page
    python -m benchmarks.accuracy --data DIR --suite full       # all rows of every data set, hours; writes the page
    python -m benchmarks.accuracy --data DIR --suite quick --rows 64    # a trial of all of it

Both sides read the same prepared rows and run alone, one after the other, each in a fresh process. The results file is
written as each side ends; the page is made from it alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks import _results, _table, accuracy_tasks, suite
from benchmarks._data import Rows, prepare_rows
from benchmarks._results import SIDES, Results
from benchmarks._sets import SETS, Bench
from benchmarks._sides import job_of, run_side
from benchmarks.tasks import page
from benchmarks.tasks.family import Bench as Task
from benchmarks.tasks.family import Limits
from benchmarks.tasks.overview import overview
from luthier.errors import DataError, LuthierError, UnknownNameError
from luthier.models.hardware import cores
from luthier.pipeline.files import whole_file
from luthier.plugins import did_you_mean

PAGE = Path("docs/benchmarks.md")
RESULTS = Path("build/accuracy.json")
TITLE = "# Benchmarks\n\nEach section is written by the command that stands in it."


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    data: Path
    only: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: int | None
    threads: int
    out: Path | None
    json: Path
    resume: Path | None
    again: tuple[str, ...] = ()
    """Sides whose results are dropped and measured anew."""
    suite: str | None = None
    """``quick`` or ``full``: every task, and this one with them."""


def main(arguments: Sequence[str] | None = None, sets: Mapping[str, Bench] = SETS) -> int:
    """Run the benchmark; return the exit code."""
    try:
        options = parse(arguments, sets)
        if options.suite is not None:
            return 1 if run_suite(options, sets, accuracy_tasks.sets()) else 0
        results = measure(options, sets)
        section = _table.markdown(results)
        print(section)
        if options.out is not None:
            publish(section, options.out, options.rows)
            print(f"written to {options.out}")
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; go on with --resume-from and the results file", file=sys.stderr)
        return 130
    return 0


def parse(arguments: Sequence[str] | None, sets: Mapping[str, Bench]) -> Options:
    """Read the command line.

    Raises:
        UnknownNameError: ``--only`` names no data set.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with one folder for each data set")
    add("--only", type=_names, default=(), help=f"some of: {','.join(sets)}")
    add("--seed", type=_numbers, default=(1,), help="one seed, or several with commas between")
    add("--rows", type=int, help="at most this many rows of each file (banking77 needs 400)")
    add("--threads", type=int, default=cores(), help="CPU threads of each side; all cores when left out")
    add("--out", type=Path, help=f"page to write; {PAGE} when left out, none with --rows")
    add("--json", type=Path, help=f"results file to write; {RESULTS} when left out")
    add("--resume-from", type=Path, help="results file of an interrupted run; sides that ended are not run again")
    add("--again", choices=SIDES, action="append", default=[], help="measure this side anew")
    add("--suite", choices=suite.SUITES, help="every task: small samples, or all rows")
    said = parser.parse_args(arguments)
    if said.suite and (said.only or said.resume_from or said.again or said.json):
        parser.error("--suite decides data sets and results files: leave the others out")
    for name in said.only:
        if name not in sets:
            raise UnknownNameError(f"no data set {name!r}; there are {', '.join(sets)}", did_you_mean(name, sets))
    out = said.out if said.out or said.rows or said.suite == "quick" else PAGE
    return Options(said.data, said.only, said.seed, said.rows, said.threads, out,
                   said.json or said.resume_from or RESULTS, said.resume_from, tuple(said.again), said.suite)


def run_suite(options: Options, sets: Mapping[str, Bench], known: Mapping[str, tuple[str, Task]]) -> int:
    """Run every task; what has ended is not run again. Return how many data sets failed."""
    name = options.suite or ""
    quick, kept = name == "quick", suite.results_file(name, "classification", options.rows)
    rows = min(options.rows or suite.CLASSIFICATION_ROWS, suite.CLASSIFICATION_ROWS) if quick else options.rows
    own = replace(options, rows=rows, json=kept, suite=None)
    tasks = suite.results_file(name, "tasks", options.rows)
    results = accuracy_tasks.load(tasks)
    command = f"python -m benchmarks.accuracy --data DIR --suite {name}"
    steps = [step for seed in options.seeds for step in suite.task_steps(name, accuracy_tasks.Options(
        options.data, seed, options.threads, Limits(options.rows, options.rows), tasks), results, known)]
    steps += [suite.Step(one, minutes[not quick], partial(measure_more, replace(own, only=(one,)), sets))
              for one, minutes in suite.CLASSIFICATION.items() if one in sets and minutes[not quick]]

    def sections() -> dict[str, str]:
        families = accuracy_tasks.families()
        classified = _results.load(kept) if kept.exists() else Results()
        if quick:
            table = overview(results, families, classified, command)
            return {"suite, quick": table} if table else {}
        return {f"tasks.{family}": section for family, section in page.sections(results, families, command).items()}

    def after() -> None:
        if options.out is not None:
            page.write(options.out, sections())

    failed = suite.carry_out(steps, options.threads, after)
    print("\n".join(sections().values()))
    section = _table.markdown(_results.load(kept)) if kept.exists() and not quick else ""
    print(section)
    if options.out is not None and section and not failed:  # half a table would take the place of a whole one
        publish(section, options.out, rows)
    return failed


def measure_more(options: Options, sets: Mapping[str, Bench]) -> None:
    """Add what is missing to a results file, which may not be there yet.

    Raises:
        LuthierError: data or model are missing, or a side failed.
    """
    measure(replace(options, resume=options.json if options.json.exists() else None), sets)


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _numbers(value: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _names(value))


def measure(options: Options, sets: Mapping[str, Bench]) -> Results:
    """Run every side that has not ended yet, and return all results.

    Raises:
        LuthierError: data or model are missing, or a side failed.
    """
    results = open_results(options)
    with tempfile.TemporaryDirectory(prefix="luthier-accuracy-") as temporary:
        names = options.only or tuple(sets)
        rows_of = {name: _prepare(options, results, name, sets[name], Path(temporary) / name) for name in names}
        # A whole round of all data sets for each seed: an interrupted run has told most.
        for turn, (seed, name) in enumerate(product(options.seeds, names)):
            # Whoever runs second finds the files in the page cache and a warmer machine: take turns.
            for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                if results.find(name, seed, side) is None:
                    job = job_of(sets[name], rows_of[name], seed=seed, threads=options.threads)
                    results.add(run_side(name, side, job))
                _tell(results, name, seed, side)
    return results


def _prepare(options: Options, results: Results, name: str, bench: Bench, folder: Path) -> Rows:
    """Write the rows of a data set and drop the results that are not of these rows, or to be measured anew."""
    rows = prepare_rows(bench, options.data, folder, rows=options.rows)
    dropped = results.start(name, {**rows.record(bench), "rows_limit": options.rows})
    if dropped:
        print(f"{name}: {dropped} older results were of other rows or settings and are dropped")
    results.forget(name, options.seeds, options.again)
    sizes = " / ".join(f"{rows.sizes[split]:,}" for split in ("train", "valid", "test"))
    print(f"{name}: {sizes} rows for train, valid and test", flush=True)
    return rows


def open_results(options: Options) -> Results:
    """Return the results to add to: those to resume from, or none.

    Raises:
        DataError: there are results in the way that nobody asked to go on from.
    """
    if options.resume is None and options.json.exists():
        raise DataError(f"{options.json} holds results already", f"go on from them with --resume-from {options.json}, "
                        "give another --json, or remove the file")
    results = _results.load(options.resume) if options.resume else Results()
    results.path = options.json
    return results


def marks_of(rows: int | None) -> dict[str, str]:
    """Return what stands around the section: samples of so many rows have one of their own."""
    name = f"benchmarks.accuracy{f', at most {rows} rows' if rows else ''}"
    return {end: f"<!-- {name}: {end} -->" for end in ("begin", "end")}


def publish(section: str, path: Path, rows: int | None = None) -> None:
    """Put the section into the page, beside the sections of other benchmarks and of other sizes of samples."""
    text = path.read_text(encoding="utf-8") if path.exists() else TITLE
    with whole_file(path) as file:
        file.write(_table.replace_section(text, section, marks_of(rows)))


def _tell(results: Results, name: str, seed: int, side: str) -> None:
    run, truth = results.find(name, seed, side), results.datasets[name]["truth"]
    if run is not None:
        right = sum(map(int.__eq__, run["chosen"], truth)) / len(truth)
        print(f"  seed {seed} {side:8} accuracy {100 * right:6.2f}  {run['wall_seconds'] / 60:5.1f} min in all, "
              f"{run['tuning_seconds'] / 60:5.1f} tuning  {run['peak_mib']:,.0f} MiB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
