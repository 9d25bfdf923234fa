"""Where text and label stand in a file that a bundle is asked about: under their names in training, if there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luthier.data import Columns, Layout, inspect, kind_of
from luthier.errors import DataError
from luthier.inference import Predictor


def layout_of(predictor: Predictor, data: str | Path, asked: Columns | None, *, labelled: bool) -> Layout:
    """Find text (and label) in a file: each as asked, else under its name in training, else by looking
    at the file.

    Raises:
        DataError: the file cannot be used.
    """
    kind = kind_of(predictor.labels.problem_type)
    known_kind = predictor.manifest is not None and (labelled or kind.OWN_INPUT)
    task = kind.TASK if known_kind else None  # a text is a text, whatever is made of it; a question needs its context
    known, asked = recipe_of(predictor).get("data", {}), asked or Columns()
    texts = known.get("text"), known.get("text_b")
    label, separator = (known.get("label"), known.get("label_separator")) if labelled else (None, None)
    # The names of the training file are a guess here, not the user's word: a file that has others is no fault.
    for text, text_b, named in dict.fromkeys(((*texts, label), (None, None, label), (*texts, None), (None,) * 3)):
        found = Columns(asked.text or text, asked.text_b or text_b, asked.label or named,
                        asked.label_separator or separator)
        try:
            return inspect(data, found, labelled=labelled, task=task)
        except DataError as error:
            fault = error
    raise fault


def recipe_of(predictor: Predictor) -> dict[str, Any]:
    """Return the recipe that the bundle was trained with, as it was written; empty for a model in memory."""
    return predictor.manifest.recipe if predictor.manifest is not None else {}
