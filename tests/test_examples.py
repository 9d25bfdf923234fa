"""The examples run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import luthier
from luthier.models.tiny_generators import make_causal

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.slow


def test_the_recipe(rows: list[tuple[str, str]], tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text(
        "review,sentiment\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    command = [sys.executable, "-m", "luthier", "train", str(EXAMPLES / "reviews.yaml"), "--model", str(tiny_model),
               "model.max_length=64"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs" / "reviews-lora" / "adapter_model.safetensors").exists()


def test_the_recipe_for_entities(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/entities.yaml", "--model", str(tiny_model),
               "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "entity F1" in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "tickets").predict(["Order A-1234 has not reached Cork."])
    assert not found.truncated


@pytest.mark.parametrize(("name", "shown", "text"), [
    ("urgency", "right grade", "The heater is on fire!"), ("catalogue", "level", "a puzzle of a map")])
def test_the_recipes_for_numbers_and_levels(name: str, shown: str, text: str, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", f"examples/{name}.yaml", "--model", str(tiny_model),
               "model.max_length=64", "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert shown in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / name).predict([text])
    assert not found.truncated


def test_the_recipe_for_nested_entities(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/nested.yaml", "--model", str(tiny_model),
               "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "170 entities begin within another" in result.stderr + result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "nested").predict(["Ada Berg left the Oslo City Council."])
    assert not found.truncated


def test_the_recipe_for_questions(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/questions.yaml", "--model", str(tiny_model),
               "model.max_length=128", "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "answer F1" in result.stdout
    context = "The Rook 7 is a fan made in Ghent."
    (found,) = luthier.load(tmp_path / "runs" / "products").predict([("Where is the Rook 7 made?", context)])
    assert context[found.start:found.end] == found.answer


def test_the_recipe_for_texts(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/dates.yaml", "train.num_train_epochs=2", "threads=1",
               "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "chrF" in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "dates").predict(["3 March 2024"])
    assert found.finish_reason in ("stop", "length")


def test_the_recipe_for_texts_with_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    base = make_causal(tmp_path / "base", max_length=512)
    command = [sys.executable, "-m", "luthier", "train", "examples/notes.yaml", "--model", str(base),
               "train.num_train_epochs=1", "evaluation.bootstrap=100", "threads=1", "model.max_length=384",
               "task.decoding.max_new_tokens=8"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "untuned  " in result.stdout
    assert "new head" not in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "notes").predict(["Was at the Cork bakery. It was a blown fuse. Lena"])
    assert found.finish_reason in ("stop", "length")


def test_the_recipe_for_dialogue(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    base = make_causal(tmp_path / "base", max_length=512)
    command = [sys.executable, "-m", "luthier", "train", "examples/support.yaml", "--model", str(base),
               "train.num_train_epochs=1", "evaluation.bootstrap=100", "threads=1"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "perplexity" in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "support").predict([[{"role": "user", "content": "几点开门？"}]])
    assert found.finish_reason in ("stop", "length")


def test_the_recipe_for_similarity(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/faq.yaml", "--model", str(tiny_model),
               "model.max_length=64", "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "nDCG@10" in result.stdout
    with luthier.load(tmp_path / "runs" / "faq") as predictor:
        ((hit,),) = luthier.Corpus.of(predictor, ["We are open from ten to seven."]).search(["几点开门？"], k=1)
    assert hit.number == 0


def test_the_recipe_for_re_ranking(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/judged.yaml", "--model", str(tiny_model),
               "model.max_length=64", "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "MAP" in result.stdout
    with luthier.load(tmp_path / "runs" / "judged") as predictor:
        passages = ["青禾电饭煲：两年内免费维修。", "青禾电饭煲：规格为四升。"]
        found = luthier.rerank(predictor, "青禾电饭煲保修多久？", passages)
    assert sorted(hit.number for hit in found) == [0, 1]


def test_the_recipe_for_relations(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/relations.yaml", "--model", str(tiny_model),
               "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "relation F1" in result.stdout
    row = {"text": "Alder Foods sells flour to Kestrel Paper.", "head": {"start": 0, "end": 11},
           "tail": {"start": 27, "end": 40}}
    (found,) = luthier.load(tmp_path / "runs" / "suppliers").predict([row])
    assert found.label in found.names


def test_the_recipe_for_entities_and_relations(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    command = [sys.executable, "-m", "luthier", "train", "examples/deals.yaml", "--model", str(tiny_model),
               "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "triple F1" in result.stdout
    (found,) = luthier.load(tmp_path / "runs" / "deals").predict(["Ida Brandt joined Novak Glass."])
    assert set(found.to_dict()) == {"entities", "relations", "truncated"}


def test_labels_in_levels(tiny_model: Path, tmp_path: Path) -> None:
    run = luthier.train(EXAMPLES / "catalogue.csv", label="category,subcategory", model=str(tiny_model),
                        out=tmp_path / "out", progress=False, train={"num_train_epochs": 1},
                        evaluation={"bootstrap": 100, "untuned": False})
    assert run.scores["systems"]["baseline"]["metrics"]["f1_level_1"] > 0.8
    (found,) = luthier.load(run.path).predict(["A spade with an ash handle"])
    assert " > " in found.label or found.label == "Office"


def test_numbers(tiny_model: Path, tmp_path: Path) -> None:
    run = luthier.train(EXAMPLES / "urgency.csv", task="regression", model=str(tiny_model), out=tmp_path / "out",
                        progress=False, train={"num_train_epochs": 1}, evaluation={"bootstrap": 100, "untuned": False})
    assert run.scores["systems"]["baseline"]["metrics"]["pearson"] > 0.9
    (found,) = luthier.load(run.path).predict(["The kettle is on fire!"])
    assert found.grade in range(1, 6)


def test_asking_many(tiny_bundle: Path) -> None:
    texts = ["very good", "很差", "bad awful poor ugly 1"] * 3
    result = subprocess.run([sys.executable, str(EXAMPLES / "ask_many.py"), str(tiny_bundle)], text=True, check=True,
                            input="\n".join(texts), stdout=subprocess.PIPE)
    expected = [prediction.label for prediction in luthier.load(tiny_bundle).predict(texts)]
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == expected
    assert set(expected) == {"positive", "negative"}


@pytest.mark.parametrize("name", ["workshop", "workshop_zh"])
def test_the_recipes_for_raw_text(name: str, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    base = tiny_model if name == "workshop_zh" else make_causal(tmp_path / "base", max_length=256)
    command = [sys.executable, "-m", "luthier", "train", f"examples/{name}.yaml", "--model", str(base),
               "train.num_train_epochs=1", "evaluation.bootstrap=100"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "perplexity" in result.stdout
    assert ("untuned (new head)" in result.stdout) is (name == "workshop_zh")  # that encoder has no head for masks
    text = "一辆[MASK]车放在架上。" if name == "workshop_zh" else "A city bike came in on"
    (found,) = luthier.load(tmp_path / "runs" / name).predict([text])
    assert found.label or not found.truncated
