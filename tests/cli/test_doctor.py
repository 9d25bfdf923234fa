from __future__ import annotations

from typing import Any

import pytest

from luthier.cli import doctor


def test_missing_extras_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = doctor.util.find_spec

    def find(name: str) -> Any:
        return None if name == "mlflow" else found(name)

    monkeypatch.setattr(doctor.util, "find_spec", find)
    doctor.command()
    assert "pip install 'luthier[track" in " ".join(capsys.readouterr().out.split())
