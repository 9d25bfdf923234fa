"""Label a file of texts with a bundle; rows stream through."""

from __future__ import annotations

import codecs
import csv
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.data import BadRow, Columns, Layout, read
from luthier.errors import DataError
from luthier.inference import Predictor
from luthier.pipeline.files import check_output, whole_file
from luthier.pipeline.using import layout_of, load
from luthier.schema import Example, Prediction, TextInput
from luthier.tuning import Listener

EVENT_SECONDS = 0.2
"""Between progress events."""

Write = Callable[[Example, Prediction], None]


@dataclass(slots=True)
class Labelled:
    """What ``predict_file`` did."""

    rows: int = 0
    seconds: float = 0.0
    bad_rows: int = 0
    truncated: int = 0
    first_bad: BadRow | None = None


def predict_file(
    bundle: str | Path,
    data: str | Path,
    out: str | Path | None,
    *,
    columns: Columns | None = None,
    max_bad_rows: int = 100,
    threads: int | None = None,
    offline: bool = False,
    listener: Listener | None = None,
) -> Labelled:
    """Label every row of a file; rows stream through, so memory does not grow with the file.

    Args:
        bundle: directory of a bundle.
        data: file of texts.
        out: ``.jsonl`` or ``.csv`` file, written whole or not at all; ``None`` writes JSON lines to standard output.
        columns: where the text stands; as in training when left out.
        max_bad_rows: unreadable rows tolerated.
        threads: CPU threads; all cores when left out.
        offline: never ask a model hub.
        listener: gets ``count`` events.

    Raises:
        DataError: the file cannot be used, or too many rows are bad.
    """
    _check_out(None if out is None else Path(out), data)
    predictor = load(bundle, threads=threads, offline=offline)
    layout = layout_of(predictor, data, columns, labelled=False)
    if listener is not None:
        where = f"device: {predictor.backend.device} ({predictor.backend.reason})"
        for note in (*layout.notes, where):
            listener({"event": "note", "text": note})
    done = Labelled()
    clock = _Clock(done, listener)
    with _sink(None if out is None else Path(out), pair=predictor.pair) as write:
        for row, prediction in _predicted(predictor, layout, done, max_bad_rows):
            write(row, prediction)
            done.rows += 1
            done.truncated += prediction.truncated
            clock.tick()
    clock.tick(last=True)
    return done


class _Clock:
    """Keeps the time and tells the listener now and then."""

    def __init__(self, done: Labelled, listener: Listener | None) -> None:
        self._done = done
        self._listener = listener
        self._started = time.perf_counter()
        self._told = 0.0

    def tick(self, *, last: bool = False) -> None:
        done = self._done
        done.seconds = time.perf_counter() - self._started
        if self._listener is None or not (last or done.seconds - self._told >= EVENT_SECONDS):
            return
        self._told = done.seconds
        speed = done.rows / max(done.seconds, 1e-9)
        total = done.rows if last else None
        self._listener({"event": "count", "title": "predicting", "done": done.rows, "total": total,
                        "rows_per_second": speed})


def _predicted(
    predictor: Predictor, layout: Layout, done: Labelled, max_bad_rows: int
) -> Iterator[tuple[Example, Prediction]]:
    """Yield each row with its prediction, in the order of the file.

    The predictor reads ahead by a window; rows that it has read and not answered yet wait in the queue.
    """
    waiting: deque[Example] = deque()
    header = predictor.manifest.recipe.get("data", {}).get("text") if predictor.manifest else None
    headless = layout.text.startswith("column_")  # what the readers call the columns of a table without a header

    def on_bad(row: BadRow) -> None:
        done.bad_rows += 1
        done.first_bad = done.first_bad or row
        if done.bad_rows > max_bad_rows:
            raise DataError(f"{layout.path} has more than {max_bad_rows} unreadable rows; the first: line "
                            f"{done.first_bad.line}: {done.first_bad.reason}",
                            "mend the file, or allow more with --max-bad-rows")

    def texts() -> Iterator[TextInput]:
        for number, row in enumerate(read(layout, on_bad=on_bad)):
            if number == 0 and headless and row.text == header:
                continue  # a lone column's name that only its own bundle can tell from a text
            waiting.append(row)
            yield row.text_input

    for prediction in predictor.stream(texts()):
        yield waiting.popleft(), prediction


def _check_out(out: Path | None, data: str | Path) -> None:
    if out is None:
        if sys.stdout is None:
            raise DataError("standard output is closed, so there is nowhere to write to", "give --out labelled.jsonl")
        return
    if out.suffix.lower() not in (".jsonl", ".csv"):
        raise DataError(f"cannot write {out.name}: expected a .jsonl or .csv file", "give --out labelled.jsonl")
    check_output(out, data)


@contextmanager
def _sink(out: Path | None, *, pair: bool) -> Iterator[Write]:
    """Open the place where labelled rows go."""
    if out is None:
        # A terminal or a program that does not take UTF-8 still reads JSON's own escapes.
        escaped = codecs.lookup(sys.stdout.encoding).name != "utf-8"
        yield lambda row, prediction: _write_json(sys.stdout, row, prediction, escaped=escaped)
        return
    if out.suffix.lower() == ".jsonl":
        with whole_file(out) as file:
            yield lambda row, prediction: _write_json(file, row, prediction)
        return
    # With a mark at its start, a spreadsheet program shows Chinese as Chinese.
    with whole_file(out, encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(("id", "text", *(["text_b"] if pair else []), "label", "score", "truncated"))
        yield lambda row, prediction: _write_cells(table, row, prediction)


def _write_json(file: Any, row: Example, prediction: Prediction, *, escaped: bool = False) -> None:
    pair = {} if row.text_b is None else {"text_b": row.text_b}
    values = {"id": row.id, "text": row.text, **pair, **prediction.to_dict()}
    file.write(json.dumps(values, ensure_ascii=escaped) + "\n")


def _write_cells(table: Any, row: Example, prediction: Prediction) -> None:
    texts = (row.text,) if row.text_b is None else (row.text, row.text_b)
    table.writerow((row.id, *texts, prediction.label, f"{prediction.score:.6f}",
                    str(prediction.truncated).lower()))
