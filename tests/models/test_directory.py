from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.files import cache_directory, sha256_of
from luthier.models.sources import resolve


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.make(tmp_path / "model")


def test_a_directory_is_taken_as_it_is(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    (model / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    for name in (str(model), "./model", "model"):
        files = resolve(name, offline=True)
        assert (files.name, files.source, files.path, files.licence) == (
            name,
            "directory",
            model.resolve(),
            "apache-2.0",
        )
        assert files.sha256 == sha256_of(model / "model.safetensors")


def test_a_missing_directory_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model directory at .*nowhere"):
        resolve(str(tmp_path / "nowhere"))


def test_what_is_no_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no config.json, so it is no model directory"):
        resolve(str(tmp_path))
    for broken in ('{"hidden_size": 384', "[]"):
        (tmp_path / "config.json").write_text(broken)
        with pytest.raises(ModelError, match=r"config.json (is not readable JSON|holds list)"):
            resolve(str(tmp_path))
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no model.safetensors\n  -> fetch or copy the model again"):
        resolve(str(model))
    (model / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds an adapter, not a whole model"):
        resolve(str(model))


def test_pickles_are_refused_with_the_way_out(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(
        ModelError, match=r"only as a pickle \(pytorch_model.bin\)[^>]*-> convert it once where you trust it"
    ):
        resolve(str(model))


def shard(model: Path, *names: str) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
    index = {"weight_map": {str(number): name for number, name in enumerate(names)}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def test_shards_are_found_and_hashed(model: Path) -> None:
    shard(model, "model-00001-of-00001.safetensors")
    assert len(resolve(str(model)).sha256) == 64


def test_missing_shards_are_named(model: Path) -> None:
    shard(model, "model-00001-of-00001.safetensors", "model-00002-of-00002.safetensors")
    with pytest.raises(ModelError, match="lacks model-00002-of-00002.safetensors"):
        resolve(str(model))


def test_shards_stay_inside_the_directory(model: Path, tmp_path: Path) -> None:
    shutil.copy(model / "model.safetensors", tmp_path / "other.safetensors")
    shard(model, "../other.safetensors")
    with pytest.raises(ModelError, match=r"points to '../other.safetensors', outside its directory"):
        resolve(str(model))


def test_impossible_names_are_refused() -> None:
    with pytest.raises(ModelError, match="'two words' is no model's name; packaged ones are e5-small, minilm-l6"):
        resolve("two words")


def test_a_directory_that_may_not_be_read(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(model))

    monkeypatch.setattr("luthier.models.sources.directory.check_directory", denied)
    with pytest.raises(ModelError, match="cannot be read") as caught:
        resolve(str(model), offline=True)
    assert "right to read it" in str(caught.value)


def test_no_home_directory_to_keep_models_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUTHIER_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ModelError, match="LUTHIER_CACHE"):
        cache_directory()
