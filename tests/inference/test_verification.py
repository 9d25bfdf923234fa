from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from luthier.bundle import read_probes
from luthier.errors import BundleError, ProbeError
from luthier.inference import Predictor, compare_with_memory, make_probes, verify
from luthier.inference.replaying import FIXED


@pytest.fixture(scope="module")
def predictor(full):
    with Predictor.open(full, threads=1) as opened:
        yield opened


def test_probes_spread_over_the_lengths_of_the_data(predictor):
    texts = ["a" * length for length in range(1, 101)]
    probes = make_probes(predictor, texts)
    lengths = [len(probe.text) for probe in probes[:-len(FIXED)]]
    assert len(lengths) == 16
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (1, 100)


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17])
def test_few_texts_are_all_taken_once(predictor, count):
    probes = make_probes(predictor, [f"text {number}" for number in range(count)])
    own = [probe.text for probe in probes[:len(probes) - len(FIXED)]]
    assert len(own) == len(set(own)) == min(count, 16)


def test_probes_hold_what_the_predictor_says(predictor):
    probes = make_probes(predictor, ["very good", "bad"])
    logits, _ = predictor.logits([probe.text for probe in probes])
    np.testing.assert_allclose([probe.logits for probe in probes], logits, atol=1e-6)
    for probe, prediction in zip(probes, predictor.predict([probe.text for probe in probes]), strict=True):
        assert probe.label in (prediction.label, None)
        assert probe.names == predictor.labels.names
        assert len(probe.ids) <= 64


def test_a_close_call_is_recorded_as_one(predictor, monkeypatch):
    monkeypatch.setattr(predictor, "compute", lambda ragged: (
        np.asarray([[1.0, 1.001, 0.0]] * len(ragged), np.float32)))
    assert {probe.label for probe in make_probes(predictor, [])} == {None}
    monkeypatch.setattr(predictor, "compute", lambda ragged: (
        np.asarray([[1.0, 1.1, 0.0]] * len(ragged), np.float32)))
    assert {probe.label for probe in make_probes(predictor, [])} == {"good"}


def test_pairs_get_pairs_as_probes(pairs):
    assert all(probe.text_b is not None for probe in read_probes(pairs))


def test_verify_says_what_it_compared(several):
    report = verify(several, threads=1)
    assert report.ok
    assert "every size and sha256 as recorded" in report.lines()[1]
    assert "probes give the same logits (largest difference" in report.lines()[4]


def test_verify_of_nothing_is_one_failed_check(tmp_path):
    report = verify(tmp_path / "nothing")
    assert not report.ok
    assert [check.name for check in report.checks] == ["manifest"]


def test_a_bundle_that_is_not_the_model_in_memory_is_refused(full, several, predictor):
    compare_with_memory(full, predictor).close()
    other = Predictor.open(full, threads=1)
    import torch

    with torch.no_grad():
        other.backend.model.classifier.bias += 1e-6
    with pytest.raises(ProbeError, match="does not answer like the model in memory: logits differ by up to .*e-0[67], "
                                         "expected the same bits") as caught:
        compare_with_memory(full, other)
    assert "nothing was replaced" in caught.value.fix
    with pytest.raises(ProbeError, match="label names differ"):
        compare_with_memory(several, predictor)


def test_each_check_of_the_probes_says_what_differs(full, tmp_path):
    bundle = Path(shutil.copytree(full, tmp_path / "full"))
    header, *lines = (bundle / "probes.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    first["ids"] = [*first["ids"], 3]
    names = list(first["logits"])
    first["logits"] = dict(zip([names[1], names[0], *names[2:]], [9.0, 9.0, 9.0], strict=True))
    rest = "\n".join([header, json.dumps(first, ensure_ascii=False), *lines[1:]])
    (bundle / "probes.jsonl").write_text(rest + "\n", encoding="utf-8")
    said = {check.name: check.detail for check in verify(bundle, threads=1).checks if not check.ok}
    assert "recorded with other label names or another order" in said["labels"]
    assert "other token ids than when the bundle was written" in said["ids"]
    assert f"1 of {len(lines)} probes are answered differently; probe 1" in said["logits"]


def test_a_tokenizer_that_cannot_be_opened_is_told(full, tmp_path):
    bundle = Path(shutil.copytree(full, tmp_path / "full"))
    (bundle / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="cannot open the tokenizer of the bundle at .*not a readable tokenizer"):
        Predictor.open(bundle, check=False)
