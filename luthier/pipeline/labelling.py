"""Label a file of texts with a bundle; rows stream through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.data import BadRow, Columns, Layout, read_with_cells
from luthier.errors import DataError
from luthier.inference import Opening, Predictor, open_fastest
from luthier.pipeline.layouts import layout_of, recipe_of
from luthier.pipeline.sinks import Cells, check_sink, open_sink
from luthier.schema import Answer, Example, Passage, TextInput

if TYPE_CHECKING:
    from luthier.tuning import Listener

EVENT_SECONDS = 0.2
"""Between progress events."""
MEASURED_BYTES = 4 * 2**20
"""A file of this size is worth trying the backends for: about a minute's work of a small encoder on two cores."""


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
    opening: Opening | None = None,
    listener: Listener | None = None,
) -> Labelled:
    """Label every row of a file; rows stream through, so memory does not grow with the file.

    What is written holds each row's own columns, in their order and under their names (``given_<name>`` where the
    answer has one of that name), an id, and the answer: label and score, or entities, and whether the text was cut.

    Args:
        bundle: directory of a bundle.
        data: file of texts.
        out: ``.jsonl``, ``.csv`` or ``.xlsx`` file, written whole or not at all; ``None`` writes JSON lines to standard
            output.
        columns: where the text stands; as in training when left out.
        max_bad_rows: rows tolerated that cannot be read, or be encoded for the model.
        opening: backend, device and threads; chosen when left out, all backends being tried first where the file is
            large and that was not done here before.
        listener: gets ``note`` and ``count`` events.

    Raises:
        DataError: the file cannot be used, or too many rows are bad.
    """
    place = None if out is None else Path(out)
    check_sink(place, data)
    large = Path(data).exists() and Path(data).stat().st_size >= MEASURED_BYTES
    predictor, chosen = open_fastest(bundle, opening, measuring=large)
    layout = layout_of(predictor, data, columns, labelled=False)
    if listener is not None:
        embedded = [f"column {layout.text!r} held the passages in training: its texts are embedded as passages"]
        for note in (*layout.notes, *(embedded if _holds_passages(predictor, layout) else ()), chosen):
            listener({"event": "note", "text": note})
    done = Labelled()
    clock = _Clock(done, listener)
    with open_sink(place, _answers(predictor, layout)) as write:
        for row, cells, prediction in _predicted(predictor, layout, done, max_bad_rows):
            write(row.id, cells, prediction)
            done.rows += 1
            done.truncated += prediction.truncated
            clock.tick()
        if done.first_bad is not None and not done.rows:
            raise DataError(f"{data}: none of its rows can be answered; the first, line {done.first_bad.line}: "
                            f"{done.first_bad.reason}", "name the column that the model shall read: --text COLUMN")
    clock.tick(last=True)
    return done


def _answers(predictor: Predictor, layout: Layout) -> type[Any]:
    """Return the class of the answers: pairs may get another than texts, where a bundle takes both."""
    task = predictor.task
    kind: type[Any] = task.PAIR_ANSWER if layout.text_b and hasattr(task, "PAIR_ANSWER") else task.ANSWER
    return kind


def _holds_passages(predictor: Predictor, layout: Layout) -> bool:
    """Return whether the texts are what queries looked for in training: they stand in the column of that name."""
    of_passages = predictor.labels.problem_type == "retrieval" and layout.text_b is None
    return of_passages and layout.text == recipe_of(predictor).get("data", {}).get("label")


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
) -> Iterator[tuple[Example, Cells, Answer]]:
    """Yield each row with its cells and its prediction, in the order of the file.

    The predictor reads ahead by a window; rows that it has read and not answered yet wait in the queue.
    """
    waiting: dict[int, tuple[Example, Cells]] = {}
    header = recipe_of(predictor).get("data", {}).get("text")
    headless = layout.text.startswith("column_")  # what the readers call the columns of a table without a header
    passages = _holds_passages(predictor, layout)

    def on_bad(row: BadRow) -> None:
        done.bad_rows += 1
        done.first_bad = done.first_bad or row
        if done.bad_rows > max_bad_rows:
            raise DataError(f"{layout.path} has more than {max_bad_rows} unreadable rows; the first: line "
                            f"{done.first_bad.line}: {done.first_bad.reason}",
                            "mend the file, or allow more with --max-bad-rows")

    def unreadable(number: int, error: DataError) -> None:
        row, _ = waiting.pop(number)
        on_bad(BadRow(int(row.id.rpartition(":")[2]), error.said))

    def texts() -> Iterator[TextInput]:
        given = count()
        for number, (row, cells) in enumerate(read_with_cells(layout, on_bad=on_bad)):
            if number == 0 and headless and row.text == header:
                continue  # a lone column's name that only its own bundle can tell from a text
            if layout.tokens is not None and "text" not in cells:
                cells = {**cells, "text": row.text}  # what offsets count in
            waiting[next(given)] = row, {"text": row.text} if headless and len(cells) == 1 else cells
            yield Passage(row.text) if passages else row.text_input

    for prediction in predictor.stream(texts(), on_bad=unreadable):
        row, cells = waiting.pop(next(iter(waiting)))
        yield row, cells, prediction
