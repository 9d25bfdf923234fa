"""What every backend must do: the logits of the reference for any order of rows, one at a time and in full batches.

A new file in ``luthier/inference/backends/`` is tested here before anybody writes a test for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from luthier import plugins
from luthier.bundle import EXACT, read_manifest
from luthier.errors import DataError
from luthier.inference import Backend
from luthier.inference.opening import open_encoder
from luthier.inference.tiny import make_bundle
from luthier.models import tiny
from luthier.schema import Batch, LabelSet

ROWS = ["good", "", "心情很好，工作很忙", "a longer text about nothing " * 20, "bad", "ok 👍", "风景", "x y z"]
CLOSE = 1e-4
"""Float32 sums in another order, as a share of ``1 + |logit|``; a backend of lower precision states its own."""

pytestmark = pytest.mark.parametrize("name", plugins.names("inference.backends"))


@pytest.fixture(scope="module", params=["full", "adapter"])
def bundle(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, labels = tmp_path_factory.mktemp("backends"), LabelSet(("a", "b", "c"))
    base = tiny.make(place / "base", width=64, heads=2)  # heads as wide as those of real models
    return make_bundle(place / request.param, labels=labels, kind=request.param, base=base)


@pytest.fixture
def open_backend(bundle):
    opened = []

    def load(name: str, threads: int = 1):
        module = plugins.load("inference.backends", name)
        opened.append(module.load(bundle, read_manifest(bundle), threads=threads, device="cpu", offline=True))
        return opened[-1]

    yield load
    for backend in opened:
        backend.close()


@pytest.fixture
def encoder(bundle):
    return open_encoder(bundle, read_manifest(bundle))


def assert_close(backend: Backend, got: np.ndarray, expected: np.ndarray) -> None:
    bound = CLOSE if backend.tolerance == EXACT else backend.tolerance
    np.testing.assert_allclose(got, expected, rtol=bound, atol=bound)


def test_it_says_what_it_is_and_why_it_runs_there(open_backend, name):
    backend = open_backend(name)
    assert plugins.load("inference.backends", name).NAME.replace("_", "-") == backend.name == name
    assert backend.device == "cpu"
    assert EXACT <= backend.tolerance <= plugins.load("inference.backends", name).TOLERANCE < 0.3
    plugins.require(*plugins.load("inference.backends", name).PACKAGES)
    assert backend.reason


def test_logits_are_those_of_the_reference(open_backend, encoder, name):
    batch = encoder.encode(ROWS)
    backend = open_backend(name)
    logits = backend.run(batch)
    assert logits.shape == (len(ROWS), 3)
    assert logits.dtype == np.float32
    assert_close(backend, logits, open_backend("torch").run(batch))


def test_the_order_of_the_rows_does_not_matter(open_backend, encoder, name):
    backend, ragged = open_backend(name), encoder.encode_ragged(ROWS)
    straight = backend.run(encoder.collate(ragged, range(len(ROWS))))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(ROWS))
        assert_close(backend, backend.run(encoder.collate(ragged, order)), straight[order])


def test_one_row_alone_gives_what_it_gives_in_company(open_backend, encoder, name):
    backend = open_backend(name)
    together = backend.run(encoder.encode(ROWS))
    for row, text in enumerate(ROWS):
        assert_close(backend, backend.run(encoder.encode([text]))[0], together[row])


def test_the_largest_batches_are_taken(open_backend, encoder, name):
    backend = open_backend(name)
    wide = encoder.encode([ROWS[3]] * (backend.max_tokens // encoder.max_length))
    assert wide.ids.shape[1] == encoder.max_length
    logits = backend.run(wide)
    assert_close(backend, logits, np.broadcast_to(backend.run(encoder.encode([ROWS[3]])), logits.shape))
    short = encoder.encode(["x"] * (backend.max_tokens // 3))
    assert backend.run(short).shape == (backend.max_tokens // 3, 3)


def test_the_same_batch_gives_the_same_bits(open_backend, encoder, name):
    backend, batch = open_backend(name), encoder.encode(ROWS)
    np.testing.assert_array_equal(backend.run(batch), backend.run(batch))


@pytest.mark.parametrize("threads", [1, 2])
def test_many_batches_come_back_in_order(open_backend, encoder, name, threads):
    backend, ragged = open_backend(name, threads), encoder.encode_ragged(ROWS)
    parts = [[row, (row + 1) % len(ROWS)] for row in range(len(ROWS))] * 3
    answers = list(backend.run_all(encoder.collate(ragged, part) for part in parts))
    assert len(answers) == len(parts)
    for part, answer in zip(parts, answers, strict=True):
        assert_close(backend, answer, backend.run(encoder.collate(ragged, part)))
    assert list(backend.run_all(iter(()))) == []
    assert len(list(backend.run_all([encoder.encode(ROWS)]))) == 1


def test_a_fault_between_batches_comes_to_the_caller_and_leaves_the_backend_whole(open_backend, encoder, name):
    backend, good = open_backend(name, 2), encoder.encode(ROWS)

    def batches() -> Iterator[Batch]:
        yield from [good] * 5
        raise DataError("the sixth cannot be made", "none")

    with pytest.raises(DataError, match="the sixth"):
        list(backend.run_all(batches()))
    next(backend.run_all([good] * 5))  # and no more of it
    for answer in backend.run_all([good] * 5):
        assert_close(backend, answer, backend.run(good))


def test_a_closed_backend_is_not_asked_again(open_backend, encoder, name):
    backend = open_backend(name)
    backend.run(encoder.encode(ROWS))
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend.run(encoder.encode(ROWS))
