"""The error tree: every way in which Luthier refuses, each with what to do about it.

    LuthierError
    ├── RecipeError          a setting is unknown, missing or out of range
    ├── UnknownNameError     no plugin, model, column or label of that name
    ├── DataError            a file or its rows cannot be used
    ├── MissingExtraError    an optional dependency is not installed
    ├── ModelError           a pretrained model cannot be found, read or trusted
    ├── TuningError          a run cannot start, go on or be resumed
    ├── BundleError          a bundle is missing, incomplete or not what its manifest says
    │   └── ProbeError       a bundle answers its probes differently from the day it was written
    ├── LimitError           a request is over a stated limit
    └── ServingError         the server cannot start

A message says what was expected, what came and where; ``fix`` says what to do. The command line prints both and
exits with 2; nothing else in the tree is caught there, so a traceback always means a fault of Luthier's own.
"""

from __future__ import annotations


class LuthierError(Exception):
    """Something the caller can mend. ``str()`` gives the problem and, after an arrow, the fix."""

    def __init__(self, problem: str, fix: str = "", *, row: int | None = None) -> None:
        self.said = problem
        """The problem without the row."""
        self.row = row
        """Number of the row at fault among those given, from 0; ``None`` where it is no row's."""
        self.problem = problem if row is None else f"row {row}: {problem}"
        self.fix = fix
        super().__init__(f"{self.problem}\n  -> {fix}" if fix else self.problem)

    def at(self, row: int) -> LuthierError:
        """Return the same error of a row with another number: where rows came from further out, they count there."""
        return type(self)(self.said, self.fix, row=row)


class RecipeError(LuthierError):
    """A setting is unknown, missing or out of range; all faults of one recipe come together."""


class UnknownNameError(LuthierError):
    """A name is not among those known; the message lists them and the nearest."""


class DataError(LuthierError):
    """A data file cannot be read, or what it holds cannot be learned from."""


class MissingExtraError(LuthierError):
    """An optional dependency is not installed; the fix is the pip command."""


class ModelError(LuthierError):
    """A pretrained model cannot be found, read or trusted."""


class TuningError(LuthierError):
    """A tuning run cannot start, go on or be resumed."""


class BundleError(LuthierError):
    """A bundle is missing, incomplete or not what its manifest says."""


class ProbeError(BundleError):
    """A bundle answers its stored probes differently from the day it was written."""


class LimitError(LuthierError):
    """A request is over a stated limit of count, length or size."""


class ServingError(LuthierError):
    """The server cannot start."""
