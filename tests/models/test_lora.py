from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from luthier.errors import BundleError, ModelError
from luthier.models import lora, tiny
from luthier.models.building import build_classifier
from luthier.schema import LabelSet

LABELS = LabelSet(("a", "b", "c"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("lora") / "tiny-base")


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 300, (4, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def wrapped(base: Path, *, moved: bool = True, **options: Any) -> Any:
    built = build_classifier(base, LABELS)
    model = lora.wrap(built.model, **{"rank": 4, "alpha": 8.0, "trained": built.new_modules, **options})
    if moved:
        # As after tuning: everything that trains has moved.
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        return model(**inputs).logits


def test_a_wrapped_model_starts_as_its_base(base: Path, inputs: dict[str, torch.Tensor]) -> None:
    plain = build_classifier(base, LABELS).model
    assert torch.equal(logits(wrapped(base, moved=False), inputs), logits(plain, inputs))


def test_only_products_and_new_modules_train(base: Path) -> None:
    model = wrapped(base)
    trains = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {"classifier.weight", "bert.pooler.dense.bias"} <= trains
    assert all("lora_" in name or name.startswith(("classifier", "bert.pooler")) for name in trains)
    assert len(lora.adapter_of(model).targets) == 12


def test_the_seed_decides_the_start(base: Path) -> None:
    name = "bert.encoder.layer.0.attention.self.query.lora_A.weight"
    first, same, other = (wrapped(base, moved=False, seed=seed).get_parameter(name) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_targets_by_the_end_of_their_names(base: Path) -> None:
    model = wrapped(base, targets=("query", "attention.output.dense"))
    assert [name.rpartition("layer.0.")[2] for name in lora.adapter_of(model).targets[:2]] == [
        "attention.self.query", "attention.output.dense"]


def test_an_unknown_target_is_refused_with_the_known_ends(base: Path) -> None:
    with pytest.raises(ModelError, match=r"'q_proj' matches no linear layer; known ends: dense, key, query, value"):
        wrapped(base, targets=("q_proj",))


def test_a_model_without_linear_layers_is_refused() -> None:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=2, n_positions=8))
    with pytest.raises(ModelError, match="no linear layer that LoRA could stand beside"):
        lora.wrap(model, rank=2, alpha=4.0, trained=("score",))


def test_an_unknown_trained_module_is_refused(base: Path) -> None:
    with pytest.raises(ModelError, match=r"no module 'clasifier'(.|\n)*did you mean 'classifier'"):
        wrapped(base, trained=("clasifier",))


def test_a_plain_model_carries_no_adapter(base: Path) -> None:
    with pytest.raises(ModelError, match="carries no low-rank adapter"):
        lora.adapter_of(build_classifier(base, LABELS).model)


@pytest.mark.parametrize("targets", ["all-linear", ("query", "value")])
def test_reloaded_logits_are_equal_to_the_bit(
    base: Path, inputs: dict[str, torch.Tensor], tmp_path: Path, targets: Any
) -> None:
    model = wrapped(base, targets=targets, dropout=0.1)
    lora.save_adapter(model, tmp_path, base_name="tiny-base")
    again = lora.load_adapter(tmp_path, base)
    assert not again.training
    assert torch.equal(logits(again, inputs), logits(model, inputs))


def test_merged_logits_agree(base: Path, inputs: dict[str, torch.Tensor]) -> None:
    model = wrapped(base)
    before = logits(model, inputs)
    merged = lora.merge(model)
    assert not any("lora" in name for name, _ in merged.named_modules())
    assert torch.allclose(logits(merged, inputs), before, atol=1e-5)


def test_no_path_of_this_machine_is_written(base: Path, tmp_path: Path) -> None:
    lora.save_adapter(wrapped(base), tmp_path / "out", base_name="tiny-base", revision="abc")
    for name in ("adapter_config.json", "config.json"):
        assert str(base.parent) not in (tmp_path / "out" / name).read_text()
    settings = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "tiny-base"
    assert settings["revision"] == "abc"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "a", "1": "b", "2": "c"}


def break_settings(directory: Path, **changes: Any) -> None:
    path = directory / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: (path / "adapter_config.json").write_text("{"), r"adapter_config.json cannot be read"),
    (lambda path: (path / "config.json").unlink(), r"config.json cannot be read"),
    (lambda path: (path / "adapter_model.safetensors").unlink(), r"adapter_model.safetensors is missing"),
    (lambda path: break_settings(path, modules_to_save=["classifier"]), r"disagree on 2 tensors, the first is bert.p"),
    (lambda path: break_settings(path, r=5), r"lora_A.weight is \(4, 32\), the base needs \(5, 32\)"),
    (lambda path: break_settings(path, target_modules=["bert.q"]), r"names layers that tiny-base does not have"),
    (lambda path: break_settings(path, target_modules=["bert.embeddings"]), r"BertEmbeddings, not a linear layer"),
])
def test_a_damaged_adapter_is_refused(base: Path, tmp_path: Path, damage: Any, message: str) -> None:
    lora.save_adapter(wrapped(base), tmp_path, base_name="tiny-base")
    damage(tmp_path)
    with pytest.raises(BundleError, match=message) as raised:
        lora.load_adapter(tmp_path, base)
    assert "copy the bundle again" in raised.value.fix


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of peft's own
def test_peft_opens_it_and_gives_the_same_logits(
    base: Path, inputs: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import AutoPeftModelForSequenceClassification, PeftModel
    from transformers import AutoModelForSequenceClassification

    model = wrapped(base)
    expected = logits(model, inputs)
    lora.save_adapter(model, tmp_path / "adapter", base_name="tiny-base")
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    opened = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    assert torch.allclose(logits(opened, inputs), expected, atol=1e-6)
    # The base is found by its name, as on a hub: here it stands in the working directory.
    shutil.copytree(base, tmp_path / "tiny-base")
    monkeypatch.chdir(tmp_path)
    found = AutoPeftModelForSequenceClassification.from_pretrained("adapter", num_labels=3).eval()
    assert torch.allclose(logits(found, inputs), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_it_opens_what_peft_wrote(base: Path, inputs: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """The same settings and weights in peft's own model give the same logits, gradients and file names."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification

    model = wrapped(base)
    lora.save_adapter(model, tmp_path / "ours", base_name="tiny-base")
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3)
    theirs = PeftModel.from_pretrained(plain, tmp_path / "ours", is_trainable=True).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours_stored, theirs_stored = (load_file(tmp_path / name / lora.WEIGHTS) for name in ("ours", "theirs"))
    assert ours_stored.keys() == theirs_stored.keys()
    assert all(torch.equal(ours_stored[name], theirs_stored[name]) for name in ours_stored)
    model(**inputs).logits.square().sum().backward()
    theirs(**inputs).logits.square().sum().backward()
    ours_norm, theirs_norm = (
        sum(float(p.grad.square().sum()) for name, p in m.named_parameters() if p.grad is not None and "lora_" in name)
        for m in (model, theirs)
    )
    assert ours_norm == pytest.approx(theirs_norm, rel=1e-4)
