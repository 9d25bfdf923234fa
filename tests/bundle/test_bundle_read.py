from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from luthier.bundle import MANIFEST, check_files, check_labels, check_tokenizer, read_manifest
from luthier.errors import BundleError, ProbeError


def check(path: Path | str) -> None:
    manifest = read_manifest(path)
    check_files(path, manifest)
    check_labels(path, manifest)
    check_tokenizer(path)


def refusal(path: Path | str) -> BundleError:
    with pytest.raises(BundleError) as caught:
        check(path)
    assert caught.value.fix
    return caught.value


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def test_a_whole_bundle_passes_every_check(bundle):
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    check_labels(bundle, manifest)
    check_tokenizer(bundle)
    assert set(manifest.files) == {"model.safetensors", "tokenizer.json", "config.json", "probes.jsonl",
                                   "report/index.html"}


@pytest.mark.parametrize("name", ["with space", "评论 模型", "a'b\"c", "ünï-👍"])
@pytest.mark.parametrize("form", ["absolute", "relative", "trailing slash", "dotted"])
def test_any_path_will_do(bundle, tmp_path, monkeypatch, name, form):
    shutil.copytree(bundle, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    path = {"absolute": str(tmp_path / name), "relative": name, "trailing slash": f"{name}/",
            "dotted": f"./x/../{name}"}
    (tmp_path / "x").mkdir()
    manifest = read_manifest(path[form])
    check_files(path[form], manifest)
    check_labels(path[form], manifest)


def test_a_missing_bundle_is_told(tmp_path):
    error = refusal(tmp_path / "nothing")
    assert "no bundle at" in error.problem
    assert "luthier train" in error.fix


def test_a_file_is_not_a_bundle(bundle):
    assert "is a file, not a bundle directory" in refusal(bundle / "config.json").problem


def test_another_directory_is_not_a_bundle(tmp_path):
    assert "is not a Luthier bundle" in refusal(tmp_path).problem


def test_a_plain_model_directory_is_told_apart(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    error = refusal(tmp_path)
    assert "plain model directory" in error.problem
    assert "tune it first" in error.fix


def test_a_half_written_bundle_is_told(bundle):
    (bundle / MANIFEST).unlink()
    assert "half-written" in refusal(bundle).problem


def test_broken_json_is_told(bundle):
    text = (bundle / MANIFEST).read_text()
    (bundle / MANIFEST).write_text(text[: len(text) // 2])
    assert "not readable JSON" in refusal(bundle).problem


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"format": 1}'])
def test_json_that_is_no_manifest_is_told(bundle, text):
    (bundle / MANIFEST).write_text(text)
    assert "not a valid manifest" in refusal(bundle).problem


def test_a_newer_format_asks_for_a_newer_luthier(bundle):
    change(bundle / MANIFEST, format=99, kind="of the future")
    error = refusal(bundle)
    assert "format 99; this Luthier reads up to 1" in error.problem
    assert "pip install --upgrade luthier" in error.fix


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "a\\..\\b"])
def test_a_path_that_leaves_the_bundle_is_refused(bundle, name):
    files = json.loads((bundle / MANIFEST).read_text())["files"]
    change(bundle / MANIFEST, files={**files, name: {"sha256": "0", "bytes": 1}})
    assert "outside the bundle" in refusal(bundle).problem


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_labels_without_sense_are_refused(bundle, names):
    change(bundle / MANIFEST, labels={"names": names})
    assert "lists no labels, or one twice" in refusal(bundle).problem


def test_a_missing_file_is_named(bundle):
    (bundle / "report" / "index.html").unlink()
    assert "report/index.html is missing" in refusal(bundle).problem


def test_a_cut_off_file_is_named(bundle):
    (bundle / "model.safetensors").write_bytes(b"wei")
    assert "model.safetensors has 3 bytes, the manifest says 7" in refusal(bundle).problem


def test_a_changed_file_is_named(bundle):
    (bundle / "model.safetensors").write_bytes(b"Weights")
    assert "model.safetensors was changed after the bundle was written" in refusal(bundle).problem


def test_an_essential_file_must_be_listed(bundle):
    files = json.loads((bundle / MANIFEST).read_text())["files"]
    del files["probes.jsonl"]
    change(bundle / MANIFEST, files=files)
    assert "does not list probes.jsonl" in refusal(bundle).problem


@pytest.mark.parametrize("name", ["pytorch_model.bin", "adapter_model.safetensors", "modeling_own.py", "x.pkl"])
def test_a_file_slipped_in_that_a_loader_might_read_is_refused(bundle, name):
    (bundle / name).write_bytes(b"")
    assert f"{name} is not in the manifest" in refusal(bundle).problem


def test_other_files_may_lie_in_a_bundle(bundle):
    (bundle / "notes.txt").write_text("mine")
    check_files(bundle, read_manifest(bundle))


@pytest.mark.parametrize(("values", "said"), [
    ({"id2label": {"0": "positive", "1": "negative"}}, "['positive', 'negative'], the manifest says ['negative', 'pos"),
    ({"id2label": {"0": "negative", "1": "glad"}}, "'glad'"),
    ({"id2label": {"0": "negative"}}, "['negative'], the manifest says"),
    ({"id2label": {"1": "negative", "2": "positive"}}, "the manifest says"),
    ({"id2label": {"x": "negative"}}, "[], the manifest says"),
    ({"label2id": {"negative": 1, "positive": 0}}, "does not undo id2label"),
    ({"problem_type": "multi_label_classification"}, "problem_type"),
])
def test_labels_that_differ_from_the_manifest_are_refused(bundle, values, said):
    change(bundle / "config.json", **values)
    with pytest.raises(BundleError) as caught:
        check_labels(bundle, read_manifest(bundle))
    assert said in caught.value.problem


def test_a_config_that_cannot_be_read_is_told(bundle):
    manifest = read_manifest(bundle)
    for text, said in (("{", "not readable JSON"), ("[]", "holds list")):
        (bundle / "config.json").write_text(text)
        with pytest.raises(BundleError, match=said):
            check_labels(bundle, manifest)
    (bundle / "config.json").unlink()
    with pytest.raises(BundleError, match="cannot read"):
        check_labels(bundle, manifest)


def test_a_tokenizer_other_than_that_of_the_probes_is_refused(bundle):
    (bundle / "tokenizer.json").write_text("{ }")
    with pytest.raises(ProbeError, match="is not the tokenizer that probes.jsonl was recorded with"):
        check_tokenizer(bundle)


def test_probes_without_a_header_are_refused(bundle):
    (bundle / "probes.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(BundleError, match="is not its header"):
        check_tokenizer(bundle)
