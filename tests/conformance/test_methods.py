"""What every tuning method promises: a new file in ``luthier/tuning/methods`` is tested here without being named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from luthier import plugins
from luthier.errors import ModelError
from luthier.models import tiny
from luthier.models.encoding import Encoder
from luthier.models.files import ModelFiles, weights_sha256
from luthier.recipe import Settings, TrainSettings, ValidationSettings
from luthier.schema import Example, LabelSet
from luthier.tasks import text_classification as task
from luthier.tuning import Encoded, Events, Job, fit

METHODS = plugins.names("tuning.methods")
LABELS = LabelSet(("bad", "good", "so"))
TEXTS = {"bad": "awful broken 很差", "good": "lovely superb 很好", "so": "plain usual 一般"}
ROWS = [Example(f"row:{n}", f"{TEXTS[name]} {'the shop ' * (n % 4)}", labels=(name,))
        for n in range(16) for name in TEXTS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    path = tiny.make(tmp_path_factory.mktemp("methods") / "tiny-base", texts=[*TEXTS.values(), "the shop"])
    return ModelFiles(str(path), "directory", path, None, None, weights_sha256(path))


def prepared(base: ModelFiles, name: str, **settings: Any) -> Any:
    method = plugins.load("tuning.methods", name)
    return method.prepare(task.build(base, LABELS, seed=3), method.Settings(**settings), 5)


def tuned(base: ModelFiles, name: str, directory: Path, *, epochs: int = 15) -> tuple[Any, float]:
    model = prepared(base, name)
    encoder = Encoder.load(base.path)
    rows = Encoded(encoder.encode_ragged([row.text for row in ROWS]), task.targets(ROWS, LABELS))
    # Twenty times the default: the tiny model is narrow and unschooled, and has 90 steps.
    rate = 20 * plugins.load("tuning.methods", name).LEARNING_RATE
    job = Job(
        model=model, encoder=encoder, task=task, labels=LABELS, train=rows, valid=rows,
        train_settings=TrainSettings(learning_rate=rate, num_train_epochs=epochs, per_device_train_batch_size=8,
                                     precision="fp32"),
        validation=ValidationSettings(), seed=1, directory=directory, fingerprint="x",
    )
    return model, fit(job, Events()).best_metric


def logits(model: Any, base: ModelFiles) -> torch.Tensor:
    batch = Encoder.load(base.path).encode([row.text for row in ROWS[:9]])
    with torch.inference_mode():
        return model(input_ids=torch.from_numpy(batch.ids), attention_mask=torch.from_numpy(batch.mask)).logits


@pytest.mark.parametrize("name", METHODS)
def test_offers_what_the_seam_asks(name: str) -> None:
    method = plugins.load("tuning.methods", name)
    assert issubclass(method.Settings, Settings)
    assert method.Settings() == method.Settings.model_validate(method.Settings().model_dump(mode="json"))
    assert 0 < method.LEARNING_RATE < 1
    assert method.TITLE
    assert method.KIND in ("full", "adapter")
    assert all(callable(getattr(method, part)) for part in ("prepare", "save", "load", "merge"))


@pytest.mark.parametrize("name", METHODS)
def test_something_trains_and_the_head_always_does(base: ModelFiles, name: str) -> None:
    model = prepared(base, name)
    trains = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight"} <= trains


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_learns_a_tiny_set_and_leaves_frozen_weights_alone(base: ModelFiles, name: str, tmp_path: Path) -> None:
    before = {key: parameter.clone() for key, parameter in prepared(base, name).named_parameters()}
    model, metric = tuned(base, name, tmp_path)
    assert metric == 1.0
    for key, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(parameter, before[key]), key


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_saved_and_loaded_gives_the_same_logits_and_merged_nearly(base: ModelFiles, name: str, tmp_path: Path) -> None:
    method = plugins.load("tuning.methods", name)
    model, _ = tuned(base, name, tmp_path / "run", epochs=1)
    expected = logits(model, base)
    method.save(model, tmp_path / "saved", base=base)
    again = method.load(tmp_path / "saved", base_directory=base.path)
    assert not again.training
    assert torch.equal(logits(again, base), expected)
    assert again.config.id2label == dict(enumerate(LABELS.names))
    assert torch.allclose(logits(method.merge(model), base), expected, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_writes_no_pickle_and_no_machine_path(base: ModelFiles, name: str, tmp_path: Path) -> None:
    plugins.load("tuning.methods", name).save(prepared(base, name).eval(), tmp_path / "saved", base=base)
    for path in (tmp_path / "saved").rglob("*"):
        assert path.suffix in (".json", ".safetensors"), path.name
        assert str(base.path.parent).encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("name", [name for name in METHODS if plugins.load("tuning.methods", name).KIND == "adapter"])
def test_an_adapter_asked_for_without_its_base_says_what_it_needs(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"needs its base model\n  -> give base_directory"):
        plugins.load("tuning.methods", name).load(tmp_path)
