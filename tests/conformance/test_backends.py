"""What every backend must do: the logits of the reference for any order of rows, one at a time and in full batches.

A new file in ``luthier/inference/backends/`` is tested here before anybody writes a test for it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from luthier import plugins
from luthier.bundle import read_manifest
from luthier.inference.predictor import open_encoder
from luthier.inference.tiny import make_bundle
from luthier.schema import LabelSet

ROWS = ["good", "", "心情很好，工作很忙", "a longer text about nothing " * 20, "bad", "ok 👍", "风景", "x y z"]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
"""Float32 sums in another order; a backend of lower precision states its own bound in its own tests."""

pytestmark = pytest.mark.parametrize("name", plugins.names("inference.backends"))


@pytest.fixture(scope="module", params=["full", "adapter"])
def bundle(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = LabelSet(("a", "b", "c"))
    return make_bundle(tmp_path_factory.mktemp("backends") / request.param, labels=labels, kind=request.param)


@pytest.fixture
def open_backend(bundle):
    opened = []

    def load(name: str):
        module = plugins.load("inference.backends", name)
        opened.append(module.load(bundle, read_manifest(bundle), threads=1, device="cpu", offline=True))
        return opened[-1]

    yield load
    for backend in opened:
        backend.close()


@pytest.fixture
def encoder(bundle):
    return open_encoder(bundle, read_manifest(bundle))


def test_it_says_what_it_is_and_why_it_runs_there(open_backend, name):
    backend = open_backend(name)
    assert plugins.load("inference.backends", name).NAME.replace("_", "-") == backend.name == name
    assert backend.device == "cpu"
    assert backend.reason


def test_logits_are_those_of_the_reference(open_backend, encoder, name):
    batch = encoder.encode(ROWS)
    logits = open_backend(name).run(batch)
    assert logits.shape == (len(ROWS), 3)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, open_backend("torch").run(batch), **CLOSE)


def test_the_order_of_the_rows_does_not_matter(open_backend, encoder, name):
    backend, ragged = open_backend(name), encoder.encode_ragged(ROWS)
    straight = backend.run(encoder.collate(ragged, range(len(ROWS))))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(ROWS))
        np.testing.assert_allclose(backend.run(encoder.collate(ragged, order)), straight[order], **CLOSE)


def test_one_row_alone_gives_what_it_gives_in_company(open_backend, encoder, name):
    backend = open_backend(name)
    together = backend.run(encoder.encode(ROWS))
    for row, text in enumerate(ROWS):
        np.testing.assert_allclose(backend.run(encoder.encode([text]))[0], together[row], **CLOSE)


def test_the_largest_batches_are_taken(open_backend, encoder, name):
    backend = open_backend(name)
    wide = encoder.encode([ROWS[3]] * (backend.max_tokens // encoder.max_length))
    assert wide.ids.shape[1] == encoder.max_length
    logits = backend.run(wide)
    np.testing.assert_allclose(logits, np.broadcast_to(backend.run(encoder.encode([ROWS[3]])), logits.shape), **CLOSE)
    short = encoder.encode(["x"] * (backend.max_tokens // 3))
    assert backend.run(short).shape == (backend.max_tokens // 3, 3)


def test_the_same_batch_gives_the_same_bits(open_backend, encoder, name):
    backend, batch = open_backend(name), encoder.encode(ROWS)
    np.testing.assert_array_equal(backend.run(batch), backend.run(batch))
