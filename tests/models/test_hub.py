from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.encoding import Encoder
from luthier.models.files import weights_sha256
from luthier.models.sources import resolve

sys.path.insert(0, str(Path(__file__).parent))
import fake_hub  # noqa: E402


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tiny.make(tmp_path / "model")
    (directory / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Tiny\n")
    (directory / "chat_template.jinja").write_text("{{ messages }}")
    (directory / "generation_config.json").write_text('{"eos_token_id": 3}')
    (directory / "modeling_evil.py").write_text("raise SystemExit('ran')\n")
    (directory / "onnx").mkdir()
    (directory / "onnx" / "model.safetensors").write_bytes(b"large and not needed")
    return directory


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, Path], list[str]]]:
    models = {"someone/tiny": model}
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    with fake_hub.serve(models) as (endpoint, asked):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        yield models, asked


def test_a_model_is_downloaded_once_and_found_offline(
    hub: tuple[dict[str, Path], list[str]], model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, asked = hub
    files = resolve("someone/tiny")
    assert (files.name, files.source, files.revision, files.licence) == ("someone/tiny", "hub", fake_hub.COMMIT, "mit")
    assert files.sha256 == weights_sha256(model)
    assert files.path.is_relative_to(tmp_path / "hf")
    assert Encoder.load(files.path).encode(["good"]).ids.tolist() == Encoder.load(model).encode(["good"]).ids.tolist()
    assert any("/resolve/" in path for path in asked)
    asked.clear()
    assert resolve("someone/tiny", offline=True) == files
    assert asked == []
    assert capfd.readouterr() == ("", "")


def test_only_what_is_needed_is_downloaded(hub: tuple[dict[str, Path], list[str]]) -> None:
    found = {path.name for path in resolve("someone/tiny").path.rglob("*") if path.is_file()}
    assert found == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        "generation_config.json",
        "README.md",
    }


def test_the_cached_copy_serves_when_the_hub_is_gone(
    hub: tuple[dict[str, Path], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = resolve("someone/tiny")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert resolve("someone/tiny") == files


def test_hf_hub_offline_is_honoured(hub: tuple[dict[str, Path], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="is not on this machine and no hub may be asked"):
        resolve("someone/tiny")
    assert hub[1] == []


def test_an_unknown_model_is_refused_with_the_packaged_names(hub: tuple[dict[str, Path], list[str]]) -> None:
    with pytest.raises(
        ModelError,
        match=r"the hub has no model 'someone/none'[^>]*-> use a packaged model \(e5-small, minilm-l6, smollm2-135m;",
    ):
        resolve("someone/none")


def test_a_hub_in_trouble_is_told_as_such(hub: tuple[dict[str, Path], list[str]]) -> None:
    with pytest.raises(ModelError, match="'someone/broken' (could not be downloaded|is not on this machine)"):
        resolve("someone/broken")


def test_a_half_downloaded_model_is_mended_by_the_hub(hub: tuple[dict[str, Path], list[str]]) -> None:
    (resolve("someone/tiny").path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="'someone/tiny' is not on this machine and no hub may be asked"):
        resolve("someone/tiny", offline=True)
    assert (resolve("someone/tiny").path / "model.safetensors").is_file()


def test_a_slip_in_a_packaged_name_is_recognised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="did you mean 'minilm-l6'"):
        resolve("minilm-16", offline=True)


def test_an_unreachable_hub_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ModelError, match="'bert-base-chinese' is not on this machine and http://127.0.0.1:9 cannot be reached"
    ):
        resolve("bert-base-chinese")


def only_pickle(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def no_config(model: Path) -> None:
    (model / "config.json").unlink()


def adapter(model: Path) -> None:
    (model / "adapter_config.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (only_pickle, "holds no model.safetensors"),
        (no_config, "holds no config.json"),
        (adapter, "holds an adapter, not a whole model"),
    ],
)
def test_unsafe_or_incomplete_models_are_refused(
    hub: tuple[dict[str, Path], list[str]], model: Path, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoiled = shutil.copytree(model, tmp_path / "spoiled")
    spoil(spoiled)
    hub[0]["someone/spoiled"] = spoiled
    with pytest.raises(ModelError, match=message):
        resolve("someone/spoiled")
