"""The READMEs are executed: every command and every Python block, with a tiny model in place of the real ones."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from luthier import plugins
from luthier.tuning.methods import full

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_both_languages_show_the_same_code_and_output() -> None:
    for language in ("console", "python", "text"):
        assert blocks(README, language) == blocks(CHINESE, language)
        assert blocks(README, language)


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{target} in {page}"


def test_the_defaults_that_are_told_are_those_of_the_tasks() -> None:
    rows = re.findall(r"^\| (`.*?) \| ([\d.e-]+) \| (as the rest|[\d.e-]+) \| (\d+) \|$",
                      (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = {}
    for names, *numbers in rows:
        for name in re.findall("`(.*?)`", names.split(" (")[0]):
            told[name] = numbers
    assert set(told) == set(plugins.names("tasks"))
    for name, (rate, head, steps) in told.items():
        task = plugins.load("tasks", name)
        assert float(rate) == task.LEARNING_RATES.get("full", full.LEARNING_RATE), name
        assert (None if head == "as the rest" else float(head)) == task.HEAD_LEARNING_RATE, name
        assert int(steps) == task.LEAST_STEPS, name


@pytest.fixture(scope="module")
def workplace(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the README speaks of."""
    directory = tmp_path_factory.mktemp("readme")
    (directory / "reviews.csv").write_text(
        "review,sentiment\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
    for name, part in (("train", lines[:36]), ("dev", lines[36:48]), ("test", lines[48:])):
        (directory / f"{name}.jsonl").write_text("".join(part), encoding="utf-8")
    (directory / "big.csv").write_text("text\n" + "good thing\n" * 50, encoding="utf-8")
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("line", blocks(README, "console")[0].splitlines())
def test_commands_run(line: str, workplace: Path, tiny_model: Path) -> None:
    words = shlex.split(line.replace("minilm-l6", str(tiny_model)))[1:]
    if words[0] == "train" and "--model" not in words and not words[1].endswith("yaml"):
        words += ["--model", str(tiny_model)]
    result = subprocess.run([sys.executable, "-m", "luthier", *words], cwd=workplace, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_python_blocks_run(number: int, workplace: Path, tiny_model: Path) -> None:
    code = re.sub(r'model="[^"]+"', f"model={str(tiny_model)!r}", blocks(README, "python")[number])
    result = subprocess.run([sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
