"""Whole runs on the tiny model: what a bundle holds, that it can be opened by others, resumed and run again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import luthier
from luthier.data import Columns
from luthier.errors import DataError
from luthier.inference import Opening, Predictor
from luthier.pipeline import predict_file

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "progress": False, "seed": 1, "prepare": {"deduplicate": False}, "evaluation": {"bootstrap": 100},
    "train": {"num_train_epochs": 6, "learning_rate": 5e-3, "per_device_train_batch_size": 8, "precision": "fp32"},
}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bundle_holds_all_that_the_design_names(tiny_bundle: Path) -> None:
    names = {path.relative_to(tiny_bundle).as_posix() for path in tiny_bundle.rglob("*") if path.is_file()}
    assert names == {
        "README.md", "config.json", "events.jsonl", "luthier.json", "model.safetensors", "probes.jsonl", "recipe.yaml",
        "report/data.json", "report/index.html", "report/learned.json", "report/scores.json", "report/splits.json",
        "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
    }
    manifest = json.loads((tiny_bundle / "luthier.json").read_text())
    assert manifest["labels"]["names"] == ["negative", "positive"]
    assert set(manifest["scores"]) == {"baseline", "untuned", "tuned"}
    assert set(manifest["files"]) == names - {"luthier.json"}
    splits = json.loads((tiny_bundle / "report" / "splits.json").read_text())
    assert sorted(map(len, splits.values())) == [12, 12, 36]
    assert not (tiny_bundle.parent / "tiny.run").exists()


def test_the_number_reported_is_the_number_served(tiny_bundle: Path, tiny_csv: Path, tmp_path: Path) -> None:
    splits = json.loads((tiny_bundle / "report" / "splits.json").read_text())
    lines = tiny_csv.read_text().splitlines()
    test = tmp_path / "test.csv"
    test.write_text("\n".join([lines[0], *(lines[int(row.split(":")[1]) - 1] for row in splits["test"])]) + "\n")
    scored = luthier.evaluate(tiny_bundle, test, json=tmp_path / "scores.json")
    reported = json.loads((tiny_bundle / "report" / "scores.json").read_text())["systems"]["tuned"]
    assert scored.warnings == ()
    again = json.loads((tmp_path / "scores.json").read_text())
    assert again["metrics"] == pytest.approx(reported["metrics"], abs=1e-5)
    assert scored.scores.rows == 12


def test_rows_that_were_learned_from_are_told(tiny_bundle: Path, tiny_csv: Path, tmp_path: Path) -> None:
    seen: list[Mapping[str, Any]] = []
    scored = luthier.evaluate(tiny_bundle, tiny_csv, json=tmp_path / "scores.json", report=tmp_path / "page",
                              listener=seen.append)
    told = ("48 of 60 rows, or rows nearly equal to them, were in the training data (36 were learned from, 12 chose "
            "the best step): the scores say less of new rows")
    assert scored.warnings == (told,)
    assert {"event": "warning", "text": told} in seen
    assert json.loads((tmp_path / "scores.json").read_text())["seen_in_training"] == {"train": 36, "valid": 12}
    assert told in (tmp_path / "page" / "index.html").read_text()
    older = tmp_path / "older"
    shutil.copytree(tiny_bundle, older)
    (older / "report" / "learned.json").unlink()
    manifest = json.loads((older / "luthier.json").read_text())
    del manifest["files"]["report/learned.json"]
    (older / "luthier.json").write_text(json.dumps(manifest))
    assert luthier.evaluate(older, tiny_csv).warnings == ()


def test_transformers_opens_a_full_bundle_and_gives_the_same_logits(tiny_bundle: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    texts = ["very good indeed 3", "很差 讨厌", "fine"]
    ours, _ = luthier.load(tiny_bundle, backend="torch").logits(texts)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bundle)
    tokens = AutoTokenizer.from_pretrained(tiny_bundle)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**tokens).logits.numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert model.config.id2label == {0: "negative", 1: "positive"}


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft on transformers 5.23
def test_peft_opens_an_adapter_bundle_head_included_and_a_new_process_gives_the_same_bits(
    tiny_csv: Path, tiny_model: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = luthier.train(tiny_csv, model=tiny_model, method="lora", out=tmp_path / "lora", **QUICK)
    texts = ["very good indeed 3", "很差 讨厌", "fine"]
    ours, _ = luthier.load(run.path, backend="torch").logits(texts)
    code = (f"import luthier, sys; logits, _ = luthier.load({str(run.path)!r}, backend='torch').logits({texts!r})\n"
            "sys.stdout.buffer.write(logits.tobytes())")
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert elsewhere == ours.tobytes()
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=2)
    model = PeftModel.from_pretrained(base, run.path).eval()
    tokens = AutoTokenizer.from_pretrained(run.path)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**tokens).logits.numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_recipe_in_the_bundle_makes_the_same_weights_again(tiny_bundle: Path, tmp_path: Path) -> None:
    again = luthier.train(tiny_bundle / "recipe.yaml", out=tmp_path / "again", progress=False)
    assert sha256(again.path / "model.safetensors") == sha256(tiny_bundle / "model.safetensors")


def test_a_run_killed_through_the_command_resumes_to_the_same_weights(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    settings = yaml.safe_load((tiny_bundle / "recipe.yaml").read_text())
    settings |= {"out": str(out), "evaluation": {**settings["evaluation"], "baseline": False}}
    settings["validation"]["save_steps"] = 2
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(settings))
    events = tmp_path / "killed.run" / "events.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "luthier", "train", str(recipe)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (events.exists() and '"step": 7' in events.read_text()):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    resumed = luthier.train(tmp_path / "killed.run" / "recipe.yaml", resume=True, progress=False)
    assert sha256(resumed.path / "model.safetensors") == sha256(tiny_bundle / "model.safetensors")
    losses = [[event["loss"] for event in map(json.loads, (path / "events.jsonl").read_text().splitlines())
               if event["event"] == "step"] for path in (tiny_bundle, resumed.path)]
    assert losses[0] == losses[1]
    assert len(losses[0]) > 20


def test_several_labels_a_row(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{"text": f"{'red ' if n % 2 else ''}{'big ' if n % 3 else ''}thing {n}",
             "labels": [name for name, on in (("red", n % 2), ("big", n % 3)) if on]} for n in range(90)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = luthier.train(path, model=tiny_model, out=tmp_path / "multi", **QUICK)
    answer = run.predictor().predict(["red big thing 7"])[0]
    assert answer.names == ("big", "red")
    assert json.loads((run.path / "config.json").read_text())["problem_type"] == "multi_label_classification"
    assert set(run.scores["systems"]) == {"baseline", "untuned", "tuned"}


def test_pairs_of_texts(tiny_model: Path, tmp_path: Path) -> None:
    words = ("red", "blue", "good", "bad")
    rows = [{"sentence1": f"{words[n % 4]} thing {n}", "sentence2": f"{words[(n + n // 4 % 2) % 4]} thing",
             "label": n // 4 % 2 == 0} for n in range(120)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = luthier.train(path, model=tiny_model, out=tmp_path / "pairs", **QUICK)
    predictor = run.predictor()
    assert predictor.pair
    assert predictor.predict([("red thing", "red thing")])[0].names == ("false", "true")
    with pytest.raises(DataError):
        predictor.predict(["one text"])


def test_a_file_is_labelled_under_other_column_names(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("number,评论\n1,very good\n2,很差\n", encoding="gb18030")
    done = predict_file(tiny_bundle, path, tmp_path / "out.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert done.rows == 2
    assert [answer["评论"] for answer in answers] == ["very good", "很差"]
    predict_file(tiny_bundle, path, tmp_path / "out.csv", columns=Columns(text="评论"))
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("\ufeffid,number,评论,label,score,truncated\n")


def test_labelled_rows_keep_their_columns(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    rows = [{"ticket": 7, "text": "very good", "tags": ["a", "b"], "label": "mine"}, {"ticket": None, "text": "bad"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict_file(tiny_bundle, path, tmp_path / "out.jsonl")
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert list(first) == ["id", "ticket", "text", "tags", "given_label", "label", "labels", "score", "probabilities",
                           "truncated"]
    assert (first["ticket"], first["tags"], first["given_label"]) == (7, ["a", "b"], "mine")
    assert first["label"] in ("negative", "positive")
    assert (second["ticket"], "tags" in second) == (None, False)
    predict_file(tiny_bundle, path, tmp_path / "out.csv")
    header, one, other = csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines())
    assert header == ["id", "ticket", "text", "tags", "given_label", "label", "score", "truncated"]
    assert one[:5] == ["new.jsonl:1", "7", "very good", '["a", "b"]', "mine"]
    assert other[:5] == ["new.jsonl:2", "", "bad", "", ""]


def test_a_table_takes_no_column_that_its_header_lacks(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.jsonl"
    path.write_text('{"text": "very good"}\n{"text": "bad", "more": 1}\n')
    with pytest.raises(DataError, match=r"new.jsonl:2 has a column that the first row lacks: 'more'\n.*write .jsonl"):
        predict_file(tiny_bundle, path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_table_without_a_header_gets_one(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("very good\nvery bad indeed\n")
    predict_file(tiny_bundle, path, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "id,text,label,score,truncated"
    assert lines[1].startswith("new.txt:1,very good,")


def test_a_lone_columns_name_is_not_labelled(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.csv"
    path.write_text("where it hurts\nvery good\nvery bad\n")
    real = Predictor.open

    def opened(*arguments: Any, **options: Any) -> Predictor:
        predictor = real(*arguments, **options)
        predictor.manifest.recipe["data"]["text"] = "where it hurts"
        return predictor

    monkeypatch.setattr(Predictor, "open", opened)
    assert predict_file(tiny_bundle, path, tmp_path / "out.jsonl").rows == 2
    path.write_text("where it hurts,number\nwhere it hurts,1\nvery bad,2\n")
    assert predict_file(tiny_bundle, path, tmp_path / "out.jsonl").rows == 2  # under a header it is a text


def test_labels_that_the_bundle_does_not_know_are_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\nfine,joyful\nbad,negative\n")
    with pytest.raises(DataError, match="does not know: joyful\n  -> the bundle knows: negative"):
        luthier.evaluate(tiny_bundle, path)


def test_rows_left_out_of_an_evaluation_are_told(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "very good", "label": "positive"}\n{broken\n{"text": "very bad", "label": "negative"}\n')
    told: list[str] = []
    scored = luthier.evaluate(tiny_bundle, path, listener=lambda event: told.append(event["text"]),
                              opening=Opening(offline=True))
    assert scored.scores.rows == 2
    assert [text for text in told if text.startswith("left out line 2: not JSON")]


def test_output_of_an_unknown_kind_is_refused(tiny_bundle: Path, tiny_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a .jsonl, .csv or .xlsx file"):
        predict_file(tiny_bundle, tiny_csv, tmp_path / "out.parquet")


def test_a_report_can_be_written_for_any_labelled_file(tiny_bundle: Path, tiny_csv: Path, tmp_path: Path) -> None:
    luthier.evaluate(tiny_bundle, tiny_csv, report=tmp_path / "report", columns=Columns(label="label"))
    commands = json.loads((tmp_path / "report" / "scores.json").read_text(encoding="utf-8"))["commands"]
    assert commands == {"evaluate": f"luthier evaluate {tiny_bundle} {tiny_csv} --label label --report "
                                    f"{tmp_path / 'report'}"}
    assert commands["evaluate"] in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_task_from_outside_reads_what_ours_with_such_labels_do(
    tiny_csv: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from luthier import plugins
    from luthier.tasks import text_classification

    monkeypatch.setitem(sys.modules, "outside_task", text_classification)
    monkeypatch.setattr(plugins, "_entry_points",
                        lambda seam: {"outside": "outside_task"} if seam == "tasks" else {})
    run = luthier.train(tiny_csv, task="outside", model=str(tiny_model), out=tmp_path / "out", progress=False,
                        train={"num_train_epochs": 1}, evaluation={"bootstrap": 100, "untuned": False})
    assert run.recipe.task["name"] == "outside"
    assert luthier.evaluate(run.path, tiny_csv).scores.rows == 60
