"""Every foreseeable failure: one message that says what to do, exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from refusals import refused

pytestmark = pytest.mark.slow
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROWS = "text,label\n" + "".join(f"word{n} good,yes\nword{n} bad,no\n" for n in range(20))


def write(directory: Path, name: str, content: str) -> Path:
    path = directory / name
    path.write_text(content, encoding="utf-8")
    return path


def test_missing_file(cli: Cli) -> None:
    assert "none.csv" in refused(cli("train", "none.csv"))


def test_missing_column(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    message = refused(cli("train", "rows.csv", "--text", "texxt"))
    assert "'texxt'" in message
    assert "'text'" in message


def test_empty_file(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "")
    assert "empty" in refused(cli("train", "rows.csv"))


def test_one_class_only(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "text,label\n" + "".join(f"word{n},yes\n" for n in range(30)))
    assert "'yes'" in refused(cli("train", "rows.csv"))


def test_two_rows(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", "text,label\na,yes\nb,no\n")
    assert "only 2 usable rows" in refused(cli("train", "rows.csv"))


def test_unknown_recipe_key(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    assert "did you mean 'learning_rate'?" in refused(cli("train", "rows.csv", "train.learning_rat=1"))


def test_unknown_metric_is_told_before_any_work(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    message = refused(cli("train", "rows.csv", "validation.metric_for_best_model=f1_makro"))
    assert "did you mean 'f1_macro'?" in message
    assert "Reading" not in message


def test_unknown_model_without_a_network(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    started = time.monotonic()
    message = refused(cli("train", "rows.csv", "--model", "no-such/model", "evaluation.baseline=false"))
    assert "no-such/model" in message
    assert "e5-small" in message
    assert time.monotonic() - started < 60
    message = refused(cli("train", "rows.csv", "--model", "no-such/model", "--offline", "evaluation.baseline=false"))
    assert "offline" in message


def test_a_place_that_holds_other_files(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    write(tmp_path, "thesis.txt", "years of work")
    message = refused(cli("train", "rows.csv", "--out", "."))
    assert "--out" in message
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_nothing_to_resume(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    assert "nothing to resume" in refused(cli("train", "rows.csv", "--resume"))


@pytest.mark.parametrize("verb", ["verify", "serve", "predict", "evaluate"])
def test_missing_bundle(cli: Cli, tmp_path: Path, verb: str) -> None:
    more = [write(tmp_path, "rows.csv", ROWS)] if verb in ("predict", "evaluate") else []
    result = cli(verb, "nowhere", *more)
    if verb == "verify":
        assert result.returncode == 2
        assert "FAIL  manifest" in result.stdout
    else:
        assert "nowhere" in refused(result)


def test_missing_extra(tmp_path: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    code = ("import importlib.util as u, sys; real = u.find_spec\n"
            "u.find_spec = lambda name, *a: None if name == 'torch' else real(name, *a)\n"
            "sys.argv = ['luthier', 'train', 'rows.csv']\nfrom luthier.cli import main\nmain()")
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pip install 'luthier[train]'" in refused(result)


def test_half_written_bundle(cli: Cli, tmp_path: Path, tiny_bundle: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "half")
    (tmp_path / "half" / "luthier.json").unlink()
    assert "half" in refused(cli("serve", "half"))


def test_corrupt_bundle(cli: Cli, tmp_path: Path, tiny_bundle: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "bad")
    weights = tmp_path / "bad" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0xFF
    weights.write_bytes(content)
    rows = write(tmp_path, "rows.csv", ROWS)
    assert "model.safetensors" in refused(cli("predict", "bad", rows, "--out", "labelled.jsonl"))
    assert not (tmp_path / "labelled.jsonl").exists()


def test_port_taken(cli: Cli, tiny_bundle: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        message = refused(cli("serve", tiny_bundle, "--port", port))
    assert str(port) in message
    assert "--port" in message


@pytest.mark.parametrize("out", ["labelled.jsonl", "labelled.csv"])
def test_an_old_output_stays_when_a_run_fails(cli: Cli, tmp_path: Path, tiny_bundle: Path, out: str) -> None:
    write(tmp_path, out, "old")
    rows = write(tmp_path, "rows.jsonl", '{"text": "very good"}\n' * 5 + "{broken\n" * 3)
    refused(cli("predict", tiny_bundle, rows, "--out", out, "--max-bad-rows", 1))
    assert (tmp_path / out).read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out, "rows.jsonl"])


def test_full_disk(cli: Cli, tmp_path: Path, tiny_bundle: Path) -> None:
    """/dev/full is a disk that is always full."""
    rows = write(tmp_path, "rows.csv", ROWS)
    with open("/dev/full", "w") as full:
        result = subprocess.run([sys.executable, "-m", "luthier", "predict", str(tiny_bundle), str(rows)],
                                stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert "disk is full" in refused(result)


def test_ctrl_c_while_tuning(tmp_path: Path, tiny_model: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    arguments = ["train", "rows.csv", "--model", str(tiny_model), "--out", "out", "train.num_train_epochs=100000",
                 "validation.early_stopping_patience=null", "evaluation.baseline=false"]
    with subprocess.Popen([sys.executable, "-m", "luthier", *arguments], cwd=tmp_path, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: (tmp_path / "out.run").exists() and list((tmp_path / "out.run").glob("checkpoint-*")))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "--resume" in stderr
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_not_thrown_away(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    arguments = ["train", "rows.csv", "--model", tiny_model, "--out", "out", "evaluation.baseline=false"]
    unfinished = tmp_path / "out.run" / "checkpoint-3"
    unfinished.mkdir(parents=True)
    message = refused(cli(*arguments))
    assert "--resume" in message
    assert "--restart" in message
    assert unfinished.exists()
    assert cli(*arguments, "--restart").returncode == 0
    assert not (tmp_path / "out.run").exists()


def test_two_runs_cannot_share_a_place(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    write(tmp_path, "rows.csv", ROWS)
    arguments = ["train", "rows.csv", "--model", tiny_model, "--out", "out", "train.num_train_epochs=100000",
                 "validation.early_stopping_patience=null", "evaluation.baseline=false"]
    first = subprocess.Popen([sys.executable, "-m", "luthier", *map(str, arguments)], cwd=tmp_path,
                             stderr=subprocess.DEVNULL)
    try:
        wait_for((tmp_path / "out.run" / "events.jsonl").exists)
        assert "another run" in refused(cli(*arguments, "--restart"))
    finally:
        first.kill()
        first.wait()


def test_the_reader_of_a_pipe_may_leave(tmp_path: Path, tiny_bundle: Path) -> None:
    rows = write(tmp_path, "rows.csv", "text\n" + "good word\n" * 3000)
    command = f"'{sys.executable}' -m luthier predict '{tiny_bundle}' '{rows}' | head -n 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert json.loads(result.stdout)["text"] == "good word"
    assert "Traceback" not in result.stderr


def wait_for(condition: object, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing happened in {seconds} s in {os.getcwd()}")
