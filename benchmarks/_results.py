"""The results file: one JSON that grows as each side ends, so that an interrupted run can go on."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.errors import DataError
from luthier.pipeline.files import whole_file

FORMAT = 1
SIDES = ("luthier", "trainer")
PROSE = ("title", "note", "source")
"""Of a data set's entry in the table: may be reworded without running anything again."""


@dataclass(slots=True)
class Results:
    """Everything measured so far."""

    path: Path | None = None
    """Where it is kept; nowhere when left out."""
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Data set -> ``Rows.record()``."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    """One entry a data set, seed and side."""

    def start(self, name: str, record: Mapping[str, Any]) -> int:
        """Note a data set's rows and settings; return how many older runs with others had to be dropped."""
        stored: dict[str, Any] = json.loads(json.dumps(record))  # tuples become lists
        same = name in self.datasets and _without_prose(self.datasets[name]) == _without_prose(stored)
        kept = [run for run in self.runs if run["dataset"] != name or same]
        dropped = len(self.runs) - len(kept)
        self.runs, self.datasets[name] = kept, stored
        return dropped

    @property
    def command(self) -> str:
        """The command that measures all of it again."""
        seeds = ",".join(str(seed) for seed in sorted({run["seed"] for run in self.runs}))
        limits = {record["rows_limit"] for record in self.datasets.values()} - {None}
        said = ["python -m benchmarks.accuracy --data DIR", f"--seed {seeds}", f"--only {','.join(self.datasets)}"]
        return " ".join(said + [f"--rows {limit}" for limit in limits])

    def forget(self, name: str, seeds: Collection[int], sides: Collection[str]) -> None:
        """Drop the entries of these seeds and sides of a data set; the file keeps them until a side ends."""
        self.runs = [run for run in self.runs
                     if run["dataset"] != name or run["seed"] not in seeds or run["side"] not in sides]

    def find(self, name: str, seed: int, side: str) -> dict[str, Any] | None:
        """Return the entry of a side that has ended, if it has."""
        wanted = (name, seed, side)
        return next((run for run in self.runs if (run["dataset"], run["seed"], run["side"]) == wanted), None)

    def ended(self) -> Iterator[tuple[str, int, dict[str, Any], dict[str, Any]]]:
        """Yield data set, seed, Luthier's entry and the Trainer's, where both sides have ended."""
        for name in self.datasets:
            for seed in sorted({run["seed"] for run in self.runs}):
                ours, theirs = (self.find(name, seed, side) for side in SIDES)
                if ours is not None and theirs is not None:
                    yield name, seed, ours, theirs

    def add(self, run: dict[str, Any]) -> None:
        """Keep one side's entry and write the file."""
        self.runs.append(run)
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is not None:
            with whole_file(self.path) as file:
                json.dump({"format": FORMAT, "datasets": self.datasets, "runs": self.runs},
                          file, ensure_ascii=False)


def _without_prose(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set's record without what only the page shows."""
    bench = {key: value for key, value in record["bench"].items() if key not in PROSE}
    return {**record, "bench": bench}


def load(path: Path) -> Results:
    """Read a results file back.

    Raises:
        DataError: it is missing or is no results file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise DataError(f"{path} has format {values['format']}, expected {FORMAT}", "start a new one: --json FILE")
        return Results(path, values["datasets"], values["runs"])
    except FileNotFoundError:
        raise DataError(f"no results at {path}", "leave --resume-from out to start afresh") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} is no results file of this benchmark", "give the file that --json wrote") from None
