"""What every file in ``luthier/models/sources`` keeps to: clear refusals offline, true hashes, paths that exist."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

import pytest

from luthier import plugins
from luthier.errors import ModelError
from luthier.models.files import ModelFiles, weights_sha256
from luthier.models.sources import list_models, resolve

NAMES = plugins.names("models.sources")
MISSING = {"directory": "./no-such-model", "hub": "no-one/no-such-model"}
"""A name that a source claims and does not have; a package claims only names that exist."""


@pytest.fixture(params=NAMES)
def source(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("models.sources", request.param)


def test_the_three_are_found() -> None:
    assert {"directory", "hub", "package"} <= set(NAMES)


@pytest.mark.parametrize("name", ["", " ", "a b", "../..//x y", "name/with/three", "\x00", "org/../name"])
def test_odd_names_are_answered_and_never_fetched_from_afar(source: ModuleType, name: str) -> None:
    assert isinstance(source.claims(name), bool)
    with pytest.raises(ModelError):
        resolve(name, offline=True)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "package"])
def test_a_missing_model_is_refused_clearly_and_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    source, missing = plugins.load("models.sources", name), MISSING[name]
    assert source.claims(missing)
    started = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        source.fetch(missing, offline=True)
    assert missing in caught.value.problem
    assert caught.value.fix
    assert time.perf_counter() - started < 5


def test_what_is_resolved_exists_and_has_the_hash_it_says(tiny_model: Path) -> None:
    files = resolve(str(tiny_model), offline=True)
    assert isinstance(files, ModelFiles)
    assert files.path.is_absolute()
    assert (files.path / "config.json").is_file()
    assert files.sha256 == weights_sha256(files.path)


def test_packaged_models_are_described() -> None:
    infos = list_models()
    assert {info.name: info.kind for info in infos} == {"e5-small": "encoder", "minilm-l6": "encoder",
                                                        "smollm2-135m": "decoder"}
    for info in infos:
        assert info.how_to_install.startswith("pip install ")
        assert info.parameters > 1e6
        assert info.size_mb > 1
        assert info.licence
        assert info.languages
        assert "/" in info.hub_id


@pytest.mark.slow
@pytest.mark.parametrize("name", [info.name for info in list_models() if info.installed])
def test_installed_models_resolve_offline(name: str) -> None:
    files = resolve(name, offline=True)
    assert files.source == "package"
    assert files.sha256 == weights_sha256(files.path)
