"""Which backend is taken: guessed, measured, remembered; and what happens when it is not fit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from luthier.bundle import read_manifest
from luthier.errors import BundleError, ModelError, ProbeError
from luthier.inference import Opening, choosing, fastest, measuring, open_fastest
from luthier.inference.choosing import choose
from luthier.inference.measuring import Measured, measure
from luthier.models.native.build import library

FAST, SLOW = Measured(900.0, 2.0), Measured(100.0, 1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace measuring by made-up figures and note what was measured."""
    names: list[str] = []

    def figures(name: str, bundle: Path, *, seconds: float, threads: int | None, offline: bool) -> Measured:
        names.append(name)
        return {"torch-bf16": FAST, "openvino": Measured(fault="it fell over")}.get(name, SLOW)

    monkeypatch.setattr(choosing, "measure", figures)
    return names


def chosen(bundle: Path, *, measuring: bool, purpose: choosing.Purpose = "throughput", **more) -> choosing.Choice:
    return choose(bundle, read_manifest(bundle), purpose, measuring=measuring, **more)


@pytest.mark.parametrize(("able", "name"), [(True, "torch-bf16"), (False, "torch-fp32")])
def test_without_measuring_the_processor_decides(full, monkeypatch, able, name) -> None:
    monkeypatch.setattr(choosing, "multiplies_bf16", lambda device: (able, "so it says"))
    monkeypatch.setattr(choosing, "impossible", lambda: "no compiler")
    assert chosen(full, measuring=False) == choosing.Choice((name, "torch"), "not measured: so it says")


def test_compiled_code_comes_first_where_it_can_run(full, monkeypatch) -> None:
    monkeypatch.setattr(choosing, "impossible", lambda: None)
    assert chosen(full, measuring=False).names == ("native", "torch-bf16", "torch")


def test_the_next_is_tried_when_the_first_refuses(full, monkeypatch) -> None:
    monkeypatch.setattr(fastest, "choose", lambda *_, **__: choosing.Choice(("native", "torch-fp32", "torch"), "fast"))
    monkeypatch.setattr("luthier.inference.backends.native.impossible", lambda: None)
    monkeypatch.setattr("luthier.inference.backends.native.unfit", lambda config: None)
    monkeypatch.setattr("luthier.models.native.build.lacking", list)  # on every processor
    monkeypatch.setattr("luthier.models.native.build.FLAGS", ("--no-such-flag",))
    library.cache_clear()
    predictor, told = open_fastest(full, Opening(threads=1, offline=True))
    library.cache_clear()
    assert predictor.backend.name == "torch-fp32"
    assert "native was chosen and refused: the encoder cannot be compiled" in told


def test_an_accelerator_takes_the_reference(full, monkeypatch) -> None:
    assert chosen(full, measuring=True, device="cuda").names[0] == "torch"
    monkeypatch.setattr(choosing, "has_gpu", lambda: True)
    assert chosen(full, measuring=True).names[0] == "torch"


def test_the_fastest_measured_is_taken_and_remembered(full, asked) -> None:
    first = chosen(full, measuring=True)
    assert first.names[0] == "torch-bf16"
    assert "measured here, texts/s: torch-bf16 900" in first.reason
    assert "openvino failed: it fell over" in first.reason
    assert sorted(asked) == sorted(choosing.plugins.names("inference.backends"))
    for later in (chosen(full, measuring=True), chosen(full, measuring=False)):
        assert later.names[0] == "torch-bf16"
        assert "measured here before" in later.reason
    assert len(asked) == len(set(asked))


def test_what_counts_decides(full, asked) -> None:
    chosen(full, measuring=True)
    choice = chosen(full, measuring=False, purpose="latency")
    assert choice.names[0] != "torch-bf16"
    assert "ms for one text" in choice.reason


@pytest.mark.parametrize(("speed", "first"), [(640.0, "native"), (500.0, "torch-bf16")])
def test_noise_does_not_decide_against_compiled_code(full, monkeypatch, speed, first) -> None:
    def figures(name: str, *_: object, **__: object) -> Measured:
        return Measured(speed, 2.0) if name == "native" else Measured(676.0, 2.0) if name == "torch-bf16" else SLOW

    monkeypatch.setattr(choosing, "measure", figures)
    assert chosen(full, measuring=True).names[0] == first


def test_other_threads_and_other_shapes_are_measured_anew(full, adapter, asked) -> None:
    chosen(full, measuring=True)
    before = len(asked)
    chosen(full, measuring=True, threads=1)
    chosen(adapter, measuring=True)
    assert len(asked) == 3 * before


@pytest.mark.parametrize("content", [
    "", "[]", "{}", '{"torch": {"speed": 3}}', "\0",
    '{"torch": {"texts_per_second": null, "milliseconds": 1, "fault": ""}}',
    '{"nosuch": {"texts_per_second": 9, "milliseconds": 1, "fault": ""}}',
    '{"native": {"texts_per_second": 0, "milliseconds": 0, "fault": "no"}}'])
def test_figures_that_cannot_be_read_are_measured_again(full, asked, own_cache, content) -> None:
    chosen(full, measuring=True)
    (file,) = (own_cache / "backends").iterdir()
    file.write_text(content, encoding="utf-8")
    assert "measured here," in chosen(full, measuring=True).reason
    assert json.loads(file.read_text(encoding="utf-8"))["torch-bf16"]["texts_per_second"] == 900


def test_a_cache_that_cannot_be_written_is_told(full, asked, own_cache) -> None:
    own_cache.write_text("a file is in the way", encoding="utf-8")
    choice = chosen(full, measuring=True)
    assert choice.names[0] == "torch-bf16"
    assert "will be measured again" in choice.reason
    assert str(own_cache) in choice.reason


def test_when_nothing_can_be_measured_the_reference_stays(full, monkeypatch) -> None:
    monkeypatch.setattr(choosing, "measure", lambda *_, **__: Measured(fault="no"))
    assert chosen(full, measuring=True).names[0] == "torch"


def test_a_bundle_that_nothing_opens_leaves_no_figures_for_others(full, monkeypatch, own_cache) -> None:
    monkeypatch.setattr(choosing, "measure", lambda *_, **__: Measured(fault="no"))
    chosen(full, measuring=True)
    assert not (own_cache / "backends").exists()


def test_a_backend_that_failed_is_tried_again_another_day(full, asked, own_cache) -> None:
    chosen(full, measuring=True)
    (file,) = (own_cache / "backends").iterdir()
    before = len(asked)
    os.utime(file, (0, 0))
    assert "openvino failed" not in chosen(full, measuring=False).reason  # known figures are used meanwhile
    assert len(asked) == before
    assert "openvino failed" in chosen(full, measuring=True).reason
    assert asked[before:] == ["openvino"]


def test_a_backend_that_answers_otherwise_gives_way_to_the_reference(full, monkeypatch) -> None:
    monkeypatch.setattr(fastest, "choose", lambda *_, **__: choosing.Choice(("torch-bf16", "torch"), "fast"))
    monkeypatch.setattr("luthier.inference.backends.torch_bf16.TOLERANCE", 1e-9)
    predictor, told = open_fastest(full, Opening(threads=1, offline=True))
    assert predictor.backend.name == "torch"
    assert "torch-bf16 was chosen and refused" in told
    assert "does not answer as on the day it was written" in told


def test_a_backend_asked_for_is_not_replaced(full, monkeypatch) -> None:
    monkeypatch.setattr("luthier.inference.backends.torch_bf16.TOLERANCE", 1e-9)
    with pytest.raises(ProbeError, match="does not answer as on the day"):
        open_fastest(full, Opening("torch-bf16", threads=1))


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_graph_that_cannot_be_kept_is_told(full, own_cache, name) -> None:
    own_cache.write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be kept in .*Not a directory|cannot be kept in .*File exists"):
        open_fastest(full, Opening(name))


@pytest.mark.slow
def test_graphs_are_made_once_and_the_oldest_go_first(full, adapter, own_cache, monkeypatch) -> None:
    open_fastest(full, Opening("onnxruntime", threads=1))
    (first,) = (own_cache / "onnx").iterdir()
    made = (first / "model.onnx").stat().st_mtime_ns
    open_fastest(full, Opening("openvino", threads=1))
    assert (first / "model.onnx").stat().st_mtime_ns == made
    monkeypatch.setattr("luthier.inference.backends._onnx.KEPT_BYTES", 1)
    open_fastest(adapter, Opening("onnxruntime", threads=1))
    (left,) = (own_cache / "onnx").iterdir()
    assert left != first


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_backends_for_the_cpu_say_so(full, name) -> None:
    with pytest.raises(ModelError, match=f"the backend {name} runs on the CPU, not on 'cuda'"):
        open_fastest(full, Opening(name, device="cuda"))


def test_a_process_that_dies_or_hangs_is_a_fault(full, monkeypatch) -> None:
    monkeypatch.setattr(measuring.sys, "executable", "/bin/false")
    assert "ended with code 1" in measure("torch", full, seconds=0.1, threads=1, offline=True).fault
    monkeypatch.setattr(measuring, "DEADLINE", -1.0)
    assert "no answer within" in measure("torch", full, seconds=0.1, threads=1, offline=True).fault


@pytest.mark.slow
@pytest.mark.parametrize("name", choosing.plugins.names("inference.backends"))
def test_every_backend_can_be_measured(full, name) -> None:
    found = measure(name, full, seconds=0.2, threads=1, offline=True)
    assert not found.fault
    assert found.texts_per_second > 10
    assert 0 < found.milliseconds < 1000


@pytest.mark.slow
def test_a_backend_that_cannot_open_the_bundle_says_why(full) -> None:
    assert "unknown backend 'nothing'" in measure("nothing", full, seconds=0.1, threads=1, offline=True).fault


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{")])
def test_a_damaged_bundle_is_told_from_its_opening(full, tmp_path, damage) -> None:
    shutil.copytree(full, tmp_path / "bundle")
    damage(tmp_path / "bundle" / "config.json")
    with pytest.raises(BundleError, match=r"config\.json"):
        open_fastest(tmp_path / "bundle", Opening(threads=1))
