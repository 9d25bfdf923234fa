"""Luthier against the usual ``transformers`` script on every task but classification: scores, minutes, memory, speed.

    python -m benchmarks.accuracy_tasks --data DIR --out docs/benchmarks.md       # all; hours on two cores
    python -m benchmarks.accuracy_tasks --data DIR --only conll2003 --rows 2000 --seed 1
    python -m benchmarks.accuracy_tasks --data DIR --only conll2003 --model PATH-TO-bert-base-cased

Both sides start from the same weights and see the same rows, epochs, batch and learning rate, and run alone, one
after the other, each in a fresh process; a third one compares the speed of the bundle that Luthier's side left with
plain transformers on the same weights. Sides that the results file holds are not run again.
``python -m benchmarks.accuracy --suite quick`` runs small samples of these and of the classification sets.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from benchmarks._job import Job
from benchmarks._machine import heading
from benchmarks._sides import run_side
from benchmarks.tasks.counts import Rows
from benchmarks.tasks.family import Bench, Family, Limits, Prepared
from benchmarks.tasks.page import SIDES, Results, publish, sections, summary
from luthier.errors import LuthierError, TuningError
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.pipeline.files import whole_file

FAMILIES = ("entities", "relations", "triples", "answers", "retrieval", "reranking", "numbers", "translation",
            "summaries", "modelling")
"""Folders of ``benchmarks/tasks/``, in the order of the page."""
RESULTS = Path("build/tasks.json")
COMMAND = "python -m benchmarks.accuracy_tasks --data DIR --out docs/benchmarks.md"


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
    known = sets()
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
        print("\n".join(sections(results, families(), COMMAND).values()))
        if said.out is not None:
            publish(results, families(), said.out, COMMAND)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on with the sides that are left", file=sys.stderr)
        return 130
    return 0


def families() -> dict[str, Family]:
    """Return each folder's module."""
    return {name: cast(Family, import_module(f"benchmarks.tasks.{name}")) for name in FAMILIES}


def sets() -> dict[str, tuple[str, Bench]]:
    """Return each data set's name, with its family's name and how it is run."""
    return {name: (family, bench) for family, module in families().items() for name, bench in module.SETS.items()}


def load(path: Path) -> Results:
    """Return the results that a file holds, but for sides without the counts of their rows, as older ones are."""
    found: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {key: told for key, told in found.items() if all("rows" in side for side in told["sides"].values())}


def measure(name: str, family: str, bench: Bench, options: Options, results: Results) -> None:
    """Run both sides on a data set and compare speeds, unless that is among the results, and print what came.

    Raises:
        LuthierError: data or model are missing, or a side failed.
    """
    module = families()[family]
    with tempfile.TemporaryDirectory(prefix="luthier-tasks-") as place:
        prepared = module.prepare(bench, options.data, Path(place), options.limits)
        told = _entry(name, family, bench, prepared, options, results)
        sizes = " / ".join(f"{size:,}" for size in prepared.sizes.values())
        print(f"{bench.title}, {told['model']}, seed {options.seed}: {sizes} rows", flush=True)
        for side in SIDES:
            if side not in told["sides"]:
                work = Path(place) / side
                work.mkdir()
                job = job_of(bench, prepared, options)
                run = run_side(bench.title, side, job, module=f"benchmarks.tasks.{family}.{side}", work=work)
                told["sides"][side] = {**_kept(run), "rows": _short(module.counts(prepared, run))}
                _save(results, options.json)
                if side == "luthier":
                    _measure_speed(told, family, job, work, options, results)
            print(f"  {summary(module, told, side)}", flush=True)


def job_of(bench: Bench, prepared: Prepared, options: Options) -> Job:
    """Return what both sides are told. A packaged model is converted here, on nobody's clock."""
    model = prepared.model or bench.model
    return Job(model=model, model_path=str(resolve(model).path), **prepared.files, labels=prepared.labels,
               seed=options.seed, epochs=bench.epochs, learning_rate=bench.learning_rate, batch_size=bench.batch_size,
               max_length=bench.max_length, warmup_ratio=0.1, weight_decay=0.01, scheduler="linear",
               threads=options.threads or cores())


def _entry(name: str, family: str, bench: Bench, prepared: Prepared, options: Options, results: Results,
           ) -> dict[str, Any]:
    """Return what is known of a data set with these rows and settings; nothing yet where one of them is new."""
    settings = {"model": Path(bench.model).name, "seed": options.seed, "epochs": bench.epochs,
                "learning_rate": bench.learning_rate, "batch_size": bench.batch_size, "max_length": bench.max_length}
    sizes = dict(prepared.sizes)
    key = " ".join(map(str, (name, *settings.values(), *sizes.values())))
    told = results.setdefault(key, {"sides": {}})
    told |= {"family": family, "title": bench.title, "note": bench.note, **settings, "sizes": sizes}
    return told


def _measure_speed(told: dict[str, Any], family: str, job: Job, work: Path, options: Options, results: Results) -> None:
    """Compare speeds on the bundle that Luthier's side left; a failure is told, and stops nothing."""
    try:
        run = run_side(told["title"], "speed", job, module=f"benchmarks.tasks.{family}.speed", work=work)
    except TuningError as error:
        print(f"  no speeds: {error}", file=sys.stderr, flush=True)
        return
    told["speed"] = {name: run[name] for name in ("speeds", "agreement", "asked", "backend", "wall_seconds")}
    print(f"  speed    {run['speeds']} rows/s, {100 * run['agreement']:.1f} % same answers  "
          f"{run['wall_seconds'] / 60:.1f} min", flush=True)
    _save(results, options.json)


def _kept(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a side's entry keeps: figures, no answers."""
    return {name: value for name, value in run.items() if name == "warnings" or not isinstance(value, list)}


def _short(rows: Rows) -> Rows:
    """Return counts as the results file holds them: whole ones without a point, which halves it."""
    return {test: [[int(value) if float(value).is_integer() else value for value in row] for row in found]
            for test, found in rows.items()}


def _save(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        json.dump(results, file, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    sys.exit(main())
