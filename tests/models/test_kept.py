"""Directories kept for the next run: those used longest ago go first, and what killed runs left."""

from __future__ import annotations

import os
from pathlib import Path

from luthier.models.kept import ABANDONED, forget_directories


def test_the_oldest_go_until_the_rest_fits_and_the_newest_stays(tmp_path: Path) -> None:
    for age, name in enumerate(["now", "older", "oldest"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    for name, changed in ((".partial-dead", 1e9), (".partial-alive", None)):
        (tmp_path / name).mkdir()
        if changed:
            os.utime(tmp_path / name, (changed - ABANDONED, changed - ABANDONED))
    (tmp_path / "CACHEDIR.TAG").write_text("a file", encoding="utf-8")
    forget_directories(tmp_path / "oldest", 200)
    (tmp_path / "CACHEDIR.TAG").unlink()
    assert {place.name for place in tmp_path.iterdir()} == {"now", "oldest", ".partial-alive"}
    forget_directories(tmp_path / "now", 1)
    assert {place.name for place in tmp_path.iterdir()} == {"now", ".partial-alive"}
