"""Token ids, kept on disk under what decides them, so that the same texts are tokenised once.

The name of a file is a hash of the tokenizer, the length policy, what was asked for and the texts themselves. Files
hold customers' words in another form, so only their owner may read them; the oldest go when all together are larger
than ``LIMIT``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from luthier.models.encoding import Encoder, Ragged, Reach
from luthier.models.files import cache_directory, sha256_of
from luthier.models.kept import keep, used
from luthier.schema import Int64, Marked, TextInput, parts
from luthier.text import written

LIMIT = 1 << 30
"""Bytes of all kept files."""
WORTHWHILE = 1_000_000
"""Characters of texts from which they are kept: fewer are tokenised in less time than anybody notices."""
VERSION = 4
"""Of the files."""
_WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx", ".h5", ".msgpack")


def encode(
    encoder: Encoder, directory: Path, texts: Sequence[TextInput], *, offsets: bool = False, reach: Reach | None = None
) -> tuple[Ragged, str | None]:
    """Return the token ids of texts, and what there is to say of where they came from.

    Args:
        encoder: opened from ``directory``.
        directory: the model's.
        texts: as ``Encoder.encode_ragged`` takes them.
        offsets: as there, places of the tokens in the texts.
        reach: as there, how much of a text a window holds.
    """
    own = {} if reach is None else {"reach": reach}  # which only the encoder of windows knows
    if sum(len(part) for text in texts for part in _parts(text)) < WORTHWHILE:
        return encoder.encode_ragged(texts, offsets=offsets, **own), None
    place = cache_directory() / "tokens" / f"{_key(encoder, directory, texts, offsets, reach)}.npz"
    found = _read(place, len(texts), encoder.overlap, offsets)
    if found is not None:
        return found, f"tokens: {len(texts)} texts were tokenised before; read from {place.parent}"
    ragged = encoder.encode_ragged(texts, offsets=offsets, **own)
    return ragged, _write(place, ragged)


def _parts(text: TextInput) -> tuple[str, ...]:
    """Return what decides the ids of a row: its texts, and where marks stand that windows are cut around."""
    if not isinstance(text, Marked):
        return parts(text)
    marks = written(text)
    return marks.text, f"\0marks {marks.head} {marks.tail}"


def _key(encoder: Encoder, directory: Path, texts: Sequence[TextInput], offsets: bool = False,
         reach: Reach | None = None) -> str:
    known = [(file.name, sha256_of(file)) for file in sorted(directory.iterdir())
             if file.is_file() and file.suffix not in _WEIGHTS]
    decides = (VERSION, version("tokenizers"), known, encoder.max_length, encoder.normalize, encoder.overlap, offsets)
    own = encoder.language, getattr(encoder, "prompt", None), reach, getattr(encoder, "spelled_end", None)
    more = tuple(one for one in own if one is not None)
    told = hashlib.sha256(repr((*decides, *more)).encode())
    for text in texts:
        given = [part.encode("utf-8", "surrogatepass") for part in _parts(text)]
        told.update(b"".join(len(part).to_bytes(8, "little") + part for part in given) + b"\n")
    return told.hexdigest()


def _read(place: Path, texts: int, overlap: int | None, offsets: bool) -> Ragged | None:
    """Return what a file holds; ``None`` without one, and when it is damaged: texts are tokenised again then."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            lengths, truncated = stored["lengths"], stored["truncated"]
            ids = _rows(stored["ids"], lengths)
            type_ids = _rows(stored["type_ids"], lengths) if "type_ids" in stored else None
            places = _arrays(stored["offsets"], lengths) if offsets else None
            sequence = _arrays(stored["sequence"], lengths) if offsets else None
            owners, fresh = (None if overlap is None else stored[name].astype(np.int64) for name in ("owners", "fresh"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    rows = texts if owners is None else len(owners)
    if not len(lengths) == len(truncated) == rows:
        return None
    if owners is not None and fresh is not None and (
            not np.array_equal(np.unique(owners), np.arange(texts)) or len(fresh) != rows):
        return None
    used(place)
    return Ragged(ids, type_ids, truncated, places, sequence, owners, overlap or 0, fresh)


def _arrays(flat: Any, lengths: Int64) -> list[Int64]:
    """Cut an array of something about each token into rows."""
    if lengths.sum() != len(flat):
        raise ValueError("other lengths than tokens")
    return np.split(flat.astype(np.int64), np.cumsum(lengths)[:-1]) if len(lengths) else []


def _rows(flat: Any, lengths: Int64) -> list[list[int]]:
    """Cut ids into rows, each number one object that all rows share: 8 bytes a token instead of 36."""
    ends = np.concatenate(([0], np.cumsum(lengths))).tolist()
    if ends[-1] != len(flat):
        raise ValueError("other lengths than ids")
    shared = list(range(int(flat.max(initial=0)) + 1)).__getitem__
    return [list(map(shared, flat[begin:end].tolist())) for begin, end in pairwise(ends)]


def _write(place: Path, ragged: Ragged) -> str | None:
    """Keep token ids; return why that was not possible, if it was not."""
    arrays: dict[str, Any] = {"lengths": ragged.lengths, "truncated": ragged.truncated, "ids": _flat(ragged.ids)}
    if ragged.type_ids is not None:
        arrays["type_ids"] = _flat(ragged.type_ids)
    if ragged.offsets and ragged.sequence:
        arrays["offsets"] = np.concatenate(ragged.offsets).astype(np.int32)
        arrays["sequence"] = np.concatenate(ragged.sequence).astype(np.int8)
    if ragged.owners is not None and ragged.fresh is not None:
        arrays |= {"owners": ragged.owners, "fresh": ragged.fresh}
    why = keep(place, lambda file: np.savez(file, **arrays), LIMIT)
    return None if why is None else f"tokens: not kept for the next run: {why}"


def _flat(rows: list[list[int]]) -> Any:
    return np.fromiter((number for row in rows for number in row), np.int32)
