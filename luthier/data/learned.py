"""Which rows a model has learned from, as short hashes: enough to recognise a row, and no way back to its words.

Hashes are keyed with the hash of the data set, so that those of two bundles cannot be compared. Whoever holds the file
and guesses a text can still find out whether it was learned from, as whoever holds the model can more or less.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from luthier.data.clean import loose_of
from luthier.schema import Dataset, Example

FILE = "learned.json"
"""Its name in a bundle's ``report/``."""
_SPLITS = ("train", "valid")
"""Splits that a score says nothing new about: what was learned, and what the best step was chosen by."""
_BYTES = 5
"""Of a hash: of a million rows one in a million others is taken for one of them."""


def hashed(dataset: Dataset) -> dict[str, Any]:
    """Return what stands in the file: the hashes of train and valid rows, as JSON."""
    key = dataset.content_hash[:32]
    found = {name: b"".join(sorted(_hashes(rows, key))) for name, rows in dataset.splits() if name in _SPLITS}
    return {"format": 1, "key": key, "bytes": _BYTES,
            **{name: base64.b64encode(hashes).decode("ascii") for name, hashes in found.items()}}


def known(rows: Sequence[Example], stored: Mapping[str, Any]) -> dict[str, int]:
    """Count the rows that nearly equal one of the train rows, or of the valid rows.

    Args:
        rows: N rows, in their normal form.
        stored: what ``hashed`` gave.

    Returns:
        ``train`` and ``valid`` -> rows; a row of both counts as one of train.
    """
    size, left, found = stored["bytes"], [*rows], {}
    for name in _SPLITS:
        raw = base64.b64decode(stored[name])
        seen = {raw[at : at + size] for at in range(0, len(raw), size)}
        rest = [row for row in left if _hash(row, stored["key"]) not in seen]
        found[name], left = len(left) - len(rest), rest
    return found


def _hashes(rows: Iterable[Example], key: str) -> set[bytes]:
    return {_hash(row, key) for row in rows}


def _hash(row: Example, key: str) -> bytes:
    return hashlib.blake2b(loose_of(row).encode("utf-8", "surrogatepass"), digest_size=_BYTES,
                           key=bytes.fromhex(key)).digest()
