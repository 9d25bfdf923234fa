"""How the command ends when something outside of it goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from refusals import refused


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("app", [
    "def app(**_): raise KeyboardInterrupt",
    "def app(**_): exec('raise KeyboardInterrupt')",  # as within the making of a dataclass
])
def test_ctrl_c_outside_of_a_verb_exits_with_130(app: str) -> None:
    result = run(f"import luthier.cli as cli\n{app}\ncli.app = app\ncli.main()")
    assert (result.returncode, result.stderr) == (130, "luthier: stopped\n")


@pytest.mark.slow
def test_ctrl_c_while_the_command_is_imported() -> None:
    result = run("import sys\nclass Stop:\n    def find_spec(self, name, *_):\n"
                 "        if name == 'luthier.cli': raise KeyboardInterrupt\n"
                 "sys.meta_path.insert(0, Stop())\nfrom luthier.__main__ import main\nmain()")
    assert (result.returncode, result.stderr) == (130, "luthier: stopped\n")


@pytest.mark.slow
def test_standard_output_is_closed(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\ngood\n")
    command = f"'{sys.executable}' -m luthier predict '{tiny_bundle}' '{tmp_path / 'rows.csv'}' >&-"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "standard output is closed" in refused(result)


@pytest.mark.slow
def test_a_terminal_that_does_not_take_utf_8_gets_json_all_the_same(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n很好😀\n", encoding="utf-8")
    command = [sys.executable, "-X", "utf8=0", "-m", "luthier", "predict", str(tiny_bundle), str(tmp_path / "rows.csv")]
    result = subprocess.run(command, capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"})
    assert json.loads(result.stdout.decode("ascii"))["text"] == "很好😀"
