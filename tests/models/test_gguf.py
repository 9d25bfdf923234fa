"""The reader of GGUF files, against files written byte by byte from the format's description."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.models.sources._gguf import GgufFile

sys.path.insert(0, str(Path(__file__).parent))
from toy_gguf import F32, KINDS, Q4_1, Q6_K, Q8_0, q4_1, q8_0, typed, write  # noqa: E402


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    values = {kind: True if kind == "bool" else 0.5 if "float" in kind else 7 for kind in KINDS}
    metadata = {kind: typed(value, kind) for kind, value in values.items()}
    lists = {"words": ["好", "", "Ġa"], "numbers": [1, -2, 3], "nested": [["a"], ["b", "c"]]}
    metadata |= {name: typed(value, "int32") for name, value in lists.items()}
    assert GgufFile.open(write(tmp_path / "x", metadata, {})).metadata == {**values, **lists}


@pytest.mark.parametrize("alignment", [32, 64])
def test_tensors_are_worth_what_their_blocks_say(tmp_path: Path, alignment: int) -> None:
    random = np.random.default_rng(0)
    four, eight = random.integers(0, 16, (3, 64)), random.integers(-128, 128, (2, 32))
    plain = random.normal(size=(5,)).astype(np.float32)
    tensors = {"plain": (F32, (5,), plain.tobytes()), "four": (Q4_1, (3, 64), q4_1(four, 0.25, -1.5)),
               "eight": (Q8_0, (2, 32), q8_0(eight, 0.125))}
    metadata = {} if alignment == 32 else {"general.alignment": typed(alignment)}
    file = GgufFile.open(write(tmp_path / "x", metadata, tensors, alignment=alignment))
    assert np.array_equal(file.tensor("plain"), plain)
    assert np.array_equal(file.tensor("four"), np.float32(four * 0.25 - 1.5))
    assert np.array_equal(file.tensor("eight"), np.float32(eight * 0.125))
    assert {file.tensor(name).dtype for name in tensors} == {np.dtype(np.float32)}


@given(data=st.data())
def test_a_file_that_ends_early_is_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.gguf"
    metadata = {"a": typed("word"), "b": typed(["x", "y"]), "c": typed([1, 2, 3]), "d": typed(1.5)}
    write(path, metadata, {"t": (Q8_0, (32,), q8_0(np.arange(32), 1.0))})
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises((struct.error, ValueError)):
        GgufFile.open(path).tensor("t")


@pytest.mark.parametrize(("head", "told"), [(b"E5S1\x03\0\0\0", "magic b'E5S1', version 3"),
                                            (b"GGUF\x01\0\0\0", "magic b'GGUF', version 1")])
def test_another_format_is_refused(tmp_path: Path, head: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        GgufFile.open(write(tmp_path / "x", {}, {}, head))


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a value is of kind 99"):
        GgufFile.open(write(tmp_path / "x", {"a": struct.pack("<I", 99)}, {}))
    file = GgufFile.open(write(tmp_path / "y", {}, {"t": (Q6_K, (256,), bytes(210))}))
    with pytest.raises(ValueError, match="tensor t is of kind 14"):
        file.tensor("t")
    with pytest.raises(KeyError):
        file.tensor("none")
    short = GgufFile.open(write(tmp_path / "z", {}, {"t": (F32, (9,), bytes(32))}))
    with pytest.raises(ValueError, match="tensor t lies outside the file"):
        short.tensor("t")
