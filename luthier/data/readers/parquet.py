"""Apache Parquet, read a few rows at a time; class numbers written by Hugging Face datasets get their names back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from luthier import plugins
from luthier.data.rows import BadRow, Record
from luthier.errors import DataError

SUFFIXES: tuple[str, ...] = (".parquet", ".pq")
IS_TEXT = False

_BATCH = 256
"""Rows held in memory at once."""


def sniff(path: Path, head: bytes) -> bool:  # noqa: ARG001  (the content tells)
    """Accept files that start with Parquet's magic number."""
    return head.startswith(b"PAR1")


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:  # noqa: ARG001  (not a text format)
    """Yield the rows lazily, numbered from 1.

    Raises:
        DataError: the file is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    plugins.require("pyarrow")
    import pyarrow
    import pyarrow.parquet as parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            named = _class_names(file.schema_arrow.metadata or {})
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    for column, name in named.items():
                        row[column] = name(row.get(column))
                    yield Record(number, row)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file that can be read (after {number} rows): {error}",
                        "write the file again; a copy or download may have been cut short") from None


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, Callable[[Any], Any]]:
    """Return column -> function from class number to name, from the features that ``datasets`` stores in the file."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    if not isinstance(features, dict):
        return {}
    found: dict[str, Callable[[Any], Any]] = {}
    for column, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else next(iter(feature or []), {})
        names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
        if isinstance(names, list):
            found[column] = _namer(names)
    return found


def _namer(names: list[str]) -> Callable[[Any], Any]:
    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(one) for one in value]
        # -1 stands for "no label" in datasets without public test labels.
        if isinstance(value, int):
            return names[value] if 0 <= value < len(names) else None
        return value

    return name
