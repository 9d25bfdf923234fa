"""Each way a bundle can come to answer wrongly: by accident, and with its hashes sealed again so that they agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from luthier.bundle import read_manifest, seal
from luthier.errors import BundleError, ProbeError
from luthier.inference import Predictor, verify

pytestmark = pytest.mark.slow

WEIGHTS = {"full": "model.safetensors", "adapter": "adapter_model.safetensors"}


@pytest.fixture(params=["full", "adapter"])
def bundle(request, copy_of) -> Path:
    return copy_of(request.getfixturevalue(request.param))


def seal_again(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    (bundle / "luthier.json").unlink()
    seal(bundle, manifest)


def change_json(file: Path, change: Callable[[dict], object]) -> None:
    values = json.loads(file.read_text(encoding="utf-8"))
    change(values)
    file.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def change_weights(bundle: Path, part: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    file = bundle / WEIGHTS[read_manifest(bundle).kind]
    tensors = load_file(file)
    names = [name for name in tensors if part in name]
    assert names, (part, list(tensors))
    for name in names:
        tensors[name] = np.ascontiguousarray(change(tensors[name]).astype(np.float32))
    save_file(tensors, file, metadata={"format": "pt"})


def rename_label(bundle: Path, old: str, new: str) -> None:
    def config(values: dict) -> None:
        values["id2label"] = {key: new if name == old else name for key, name in values["id2label"].items()}
        values["label2id"] = {new if name == old else name: key for name, key in values["label2id"].items()}

    def manifest(values: dict) -> None:
        values["labels"]["names"] = [new if name == old else name for name in values["labels"]["names"]]

    change_json(bundle / "config.json", config)
    change_json(bundle / "luthier.json", manifest)


def refused(bundle: Path, kind: type[BundleError] = ProbeError) -> str:
    with pytest.raises(kind) as caught:
        Predictor.open(bundle, threads=1, offline=True)
    assert caught.value.fix
    assert not verify(bundle, threads=1, offline=True).ok
    return caught.value.problem


def other_head(weights: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.5, weights.shape)


def test_an_untouched_copy_opens(bundle):
    Predictor.open(bundle, threads=1, offline=True)
    report = verify(bundle, threads=1, offline=True)
    assert report.ok, report.lines()
    assert [check.name for check in report.checks] == ["manifest", "files", "labels", "ids", "logits"]


def test_another_head_is_told_by_its_hash(bundle):
    change_weights(bundle, "classifier.weight" if "full" in bundle.name else "classifier", other_head)
    assert "safetensors was changed after the bundle was written" in refused(bundle, BundleError)


def test_another_head_sealed_again_is_told_by_the_probes(bundle):
    change_weights(bundle, "classifier", other_head)
    seal_again(bundle)
    said = refused(bundle)
    assert "does not answer as on the day it was written: probe 1" in said
    assert "expected" in said
    assert "got" in said
    assert "the weights were changed or not loaded" in said


def test_a_head_nudged_by_a_hundredth_is_told_by_the_probes(bundle):
    def nudge(weights: np.ndarray) -> np.ndarray:
        weights = weights.copy()
        weights.flat[0] += 0.01
        return weights

    change_weights(bundle, "classifier", nudge)
    seal_again(bundle)
    assert "logits differ" in refused(bundle)


def test_swapped_rows_of_the_head_are_told_by_the_probes(bundle):
    change_weights(bundle, "classifier", lambda weights: weights[::-1])
    seal_again(bundle)
    assert "logits differ" in refused(bundle)


def test_a_changed_layer_of_the_encoder_is_told_by_the_probes(bundle):
    part = "lora_B" if "adapter" in bundle.name else "layer.0.attention.self.query.weight"
    change_weights(bundle, part, lambda weights: weights * 1.5)
    seal_again(bundle)
    assert "logits differ" in refused(bundle)


def test_weights_that_are_not_numbers_are_told_by_the_probes(bundle):
    change_weights(bundle, "classifier", lambda weights: weights * np.nan)
    seal_again(bundle)
    assert "got nan" in refused(bundle)


def test_a_head_that_is_missing_never_comes_back_at_random(bundle):
    file = bundle / WEIGHTS[read_manifest(bundle).kind]
    tensors = {name: tensor for name, tensor in load_file(file).items() if "classifier" not in name}
    save_file(tensors, file, metadata={"format": "pt"})
    seal_again(bundle)
    assert refused(bundle, BundleError)


@pytest.mark.parametrize("label", ["bad", "good", "so so"])
def test_any_one_label_renamed_everywhere_and_sealed_again_is_told(bundle, label):
    rename_label(bundle, label, "excellent")
    seal_again(bundle)
    assert f"expected {label!r}, got 'excellent'" in refused(bundle)


def test_a_label_renamed_in_the_config_alone_is_told(bundle):
    change_json(bundle / "config.json", lambda values: values["id2label"].update({"0": "excellent"}))
    seal_again(bundle)
    assert "the manifest says" in refused(bundle, BundleError)


def test_labels_are_compared_even_without_the_other_checks(bundle):
    change_json(bundle / "config.json", lambda values: values["id2label"].update({"0": "excellent"}))
    with pytest.raises(BundleError, match="the manifest says"):
        Predictor.open(bundle, check=False, offline=True)


def test_swapped_labels_everywhere_sealed_again_are_told(bundle):
    rename_label(bundle, "bad", "x")
    rename_label(bundle, "good", "bad")
    rename_label(bundle, "x", "good")
    seal_again(bundle)
    assert "label names differ" in refused(bundle)


def swap_tokens(first: str, second: str) -> Callable[[dict], None]:
    def change(values: dict) -> None:
        vocabulary = values["model"]["vocab"]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
    return change


def test_another_tokenizer_is_told_by_its_hash(bundle):
    change_json(bundle / "tokenizer.json", swap_tokens("很", "好"))
    assert "tokenizer.json" in refused(bundle, BundleError)


@pytest.mark.parametrize("change", [
    swap_tokens("很", "好"),
    swap_tokens("~", "^"),  # in no probe: told by the tokenizer's own hash in probes.jsonl
    lambda values: values["normalizer"].update(lowercase=True),
    lambda values: values.update(post_processor=None),
    lambda values: values.update(normalizer=None),
], ids=["vocabulary", "rare entries", "lower case", "no special tokens", "no normaliser"])
def test_another_tokenizer_sealed_again_is_told(bundle, change):
    change_json(bundle / "tokenizer.json", change)
    seal_again(bundle)
    assert "is not the tokenizer that probes.jsonl was recorded with" in refused(bundle)


@pytest.mark.parametrize("change", [
    swap_tokens("很", "好"),
    lambda values: values["normalizer"].update(lowercase=True),
    lambda values: values.update(post_processor=None),
], ids=["vocabulary", "lower case", "no special tokens"])
def test_ids_differ_even_when_the_header_of_the_probes_was_renewed(bundle, change):
    change_json(bundle / "tokenizer.json", change)
    header, *rest = (bundle / "probes.jsonl").read_text(encoding="utf-8").split("\n")
    import hashlib

    renewed = {**json.loads(header),
               "tokenizer_sha256": hashlib.sha256((bundle / "tokenizer.json").read_bytes()).hexdigest()}
    (bundle / "probes.jsonl").write_text("\n".join([json.dumps(renewed), *rest]), encoding="utf-8")
    seal_again(bundle)
    assert "token ids differ" in refused(bundle)


def test_another_length_policy_sealed_again_is_told(bundle):
    change_json(bundle / "luthier.json", lambda values: values["length"].update(max_length=32))
    assert "token ids differ" in refused(bundle)


def test_another_normalisation_is_told(bundle):
    change_json(bundle / "luthier.json", lambda values: values.update(normalize="nfkc"))
    assert "token ids differ" in refused(bundle)


def test_probes_emptied_and_sealed_again_are_told(bundle):
    header = (bundle / "probes.jsonl").read_text(encoding="utf-8").split("\n")[0]
    (bundle / "probes.jsonl").write_text(header + "\n", encoding="utf-8")
    seal_again(bundle)
    assert "holds no probe" in refused(bundle, BundleError)


def test_a_cut_off_weights_file_is_told(bundle):
    file = bundle / WEIGHTS[read_manifest(bundle).kind]
    file.write_bytes(file.read_bytes()[:-100])
    assert "it was cut off or changed" in refused(bundle, BundleError)


def test_a_cut_off_weights_file_sealed_again_is_told(bundle):
    file = bundle / WEIGHTS[read_manifest(bundle).kind]
    file.write_bytes(file.read_bytes()[:-100])
    seal_again(bundle)
    assert refused(bundle, BundleError)


def test_a_bundle_without_its_manifest_is_half_written(bundle):
    (bundle / "luthier.json").unlink()
    assert "half-written" in refused(bundle, BundleError)


@pytest.mark.parametrize("change", [{"num_attention_heads": 5}, {"id2label": [1, 2]}, {"hidden_size": "x"}, None])
def test_verify_raises_nothing_whatever_is_damaged(copy_of, full, change):
    bundle = copy_of(full)
    file = bundle / "config.json"
    if change is None:
        file.unlink()
    else:
        file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    for backend in ("torch", "torch-fp32", "torch-bf16", "native"):
        report = verify(bundle, backend=backend, threads=1)
        assert [check.name for check in report.checks] == ["manifest", "files", "labels", "ids", "logits"]
        assert not report.ok


def test_verify_names_every_fault_at_once(copy_of, full):
    bundle = copy_of(full)
    change_weights(bundle, "classifier", other_head)
    rename_label(bundle, "bad", "excellent")
    report = verify(bundle, threads=1)
    assert [check.name for check in report.checks if not check.ok] == ["files", "labels", "logits"]
    assert report.lines()[0].startswith("ok    manifest: full, 3 labels")
    assert any(line.startswith("FAIL  files: ") for line in report.lines())
