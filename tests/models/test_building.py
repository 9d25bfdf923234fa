from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.building import build_classifier, load_classifier, quiet, refuse_unknown_ids
from luthier.schema import LabelSet, ProblemType

pytestmark = pytest.mark.slow  # imports torch and transformers

LABELS = LabelSet(("negative", "neutral", "positive"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("model"))


@pytest.fixture
def finished(model: Path, tmp_path: Path) -> Path:
    with quiet():
        build_classifier(model, LABELS).model.save_pretrained(tmp_path / "finished")
    return tmp_path / "finished"


def test_head_comes_from_the_seed_and_nothing_else_changes(model: Path) -> None:
    import torch

    before = torch.random.get_rng_state()
    first, same, other = (build_classifier(model, LABELS, seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], same[name]) for name in first)
    differing = {name for name in first if not torch.equal(first[name], other[name])}
    assert differing == {"classifier.weight"}


def test_a_new_pooler_passes_the_first_token_on_whatever_the_seed(model: Path) -> None:
    import torch

    for seed in (1, 2):
        pooler = build_classifier(model, LABELS, seed=seed).model.get_submodule("bert.pooler.dense")
        assert torch.equal(pooler.weight, torch.eye(len(pooler.weight)))
        assert not pooler.bias.any()


def test_new_modules_are_named(model: Path) -> None:
    assert build_classifier(model, LABELS).new_modules == ("bert.pooler", "classifier")


def test_configuration_and_state(model: Path) -> None:
    labels = LabelSet(("b", "a"), "multi_label_classification")
    built = build_classifier(model, labels, dropout=0.0, attention_dropout=0.25, attention="eager").model
    assert built.config.id2label == {0: "b", 1: "a"}
    assert built.config.label2id == {"b": 0, "a": 1}
    assert built.config.problem_type == "multi_label_classification"
    assert (built.config.hidden_dropout_prob, built.config.attention_probs_dropout_prob) == (0.0, 0.25)
    assert built.config._attn_implementation == "eager"
    assert not built.training
    assert {str(parameter.dtype) for parameter in built.parameters()} == {"torch.float32"}


def test_nothing_is_written_to_the_terminal(
    model: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    build_classifier(model, LABELS)
    assert logging.get_verbosity() == verbosity
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_finished_classifier_reloads_to_the_bit(model: Path, finished: Path) -> None:
    import torch

    built, opened = build_classifier(model, LABELS).model, load_classifier(finished)
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    with torch.inference_mode():
        assert torch.equal(built(ids, attention_mask=ids > 0).logits, opened(ids, attention_mask=ids > 0).logits)
    assert not opened.training


def test_weights_lie_where_new_tensors_would_whatever_their_place_in_the_file(finished: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    file = finished / "model.safetensors"
    place = 0
    while place % 64 in (0, 32):  # a longer header moves them all
        save_file(load_file(file), file, metadata={"format": "pt", "more": "x" * (place + 8)})
        place = 8 + int.from_bytes(file.read_bytes()[:8], "little") if not place else place + 8
    with safe_open(file, framework="pt") as stored:
        assert any(stored.get_tensor(name).data_ptr() % 64 for name in stored.keys())  # noqa: SIM118 - not a dict
    model = load_classifier(finished)
    assert not [name for name, weights in model.named_parameters() if weights.data_ptr() % 64]


def test_a_known_head_is_kept_and_one_of_other_labels_is_not(finished: Path) -> None:
    import torch

    kept = build_classifier(finished, LABELS, seed=5)
    assert kept.new_modules == ()
    assert torch.equal(kept.model.classifier.weight, load_classifier(finished).classifier.weight)
    swapped = build_classifier(finished, LabelSet(LABELS.names[::-1]), seed=5)
    assert swapped.new_modules == ("classifier",)
    assert not torch.equal(swapped.model.classifier.weight, kept.model.classifier.weight)
    assert build_classifier(finished, LabelSet(("a", "b"))).new_modules == ("classifier",)


@pytest.mark.parametrize("stored", ["single_label_classification", "token_classification", "question_answering"])
@pytest.mark.parametrize("wanted", ["similarity", "retrieval"])
def test_any_head_is_left_out_where_texts_are_embedded(stored: ProblemType, wanted: ProblemType, model: Path,
                                                       tmp_path: Path) -> None:
    import torch

    names = {"question_answering": ("start", "end"), "token_classification": ("O", "B-X", "I-X")}
    with quiet():
        first = build_classifier(model, LabelSet(names.get(stored, ("a", "b")), stored)).model
        first.save_pretrained(tmp_path / "finished")
    built = build_classifier(tmp_path / "finished", LabelSet(("embedding",), wanted))
    assert built.new_modules == ()
    assert torch.equal(built.model.embeddings.word_embeddings.weight, first.bert.embeddings.word_embeddings.weight)


def test_a_classifier_without_its_head_is_refused(model: Path) -> None:
    with pytest.raises(
        ModelError, match=r"lack 4 tensors, such as bert.pooler.dense.bias[^>]*-> a classifier with random weights"
    ):
        load_classifier(model)


def test_lost_encoder_weights_are_refused(model: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    copy = shutil.copytree(model, tmp_path / "copy")
    tensors = load_file(copy / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=r"lack 1 tensors of a bert encoder, such as bert.encoder.layer.1.output.dense.weight"
    ):
        build_classifier(copy, LABELS)


def test_unusable_directories_are_explained(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model directory at .*nowhere"):
        build_classifier(tmp_path / "nowhere", LABELS)
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"\x08\0\0\0")
    with pytest.raises(ModelError, match=r"cannot be opened as a text classifier: .*\n  -> it needs a config.json"):
        build_classifier(copy, LABELS)
    config = json.loads((copy / "config.json").read_text()) | {"model_type": "marvel"}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot be opened as a text classifier: .*marvel"):
        build_classifier(copy, LABELS)


def test_remote_code_is_not_run(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    config = json.loads((copy / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"},
    }
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="cannot be opened as a text classifier"):
        build_classifier(copy, LABELS)
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_not_opened(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be opened as a text classifier"):
        build_classifier(copy, LABELS)


def test_ids_that_the_model_does_not_know_are_refused(model: Path) -> None:
    built = build_classifier(model, LABELS)
    room = built.model.get_input_embeddings().weight.shape[0]
    refuse_unknown_ids(built.model, [[0, room - 1], []], model)
    with pytest.raises(ModelError, match=f"gives the id {room}, and the model's table has {room} rows"):
        refuse_unknown_ids(built.model, [[0], [room]], model)


def test_a_roberta_head_is_one_module(model: Path, tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
    )
    with quiet():
        RobertaModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    assert build_classifier(tmp_path, LABELS).new_modules == ("classifier",)
