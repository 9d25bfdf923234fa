"""Low-rank adapters: a frozen linear layer plus a small trained product, saved in PEFT's file format.

Follows Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (arXiv:2106.09685), and the directory layout of
the `peft` library, whose `PeftModel.from_pretrained` opens what is written here, head included.

Nothing is merged on load: the reloaded model does the same operations in the same order as the tuned one, so its logits
are equal to the bit. torch is imported at the top because `LoraLinear` needs its base class; import this module from
inside functions. Types are ignored where torch takes any attribute of a module for `Tensor | Module`.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luthier.errors import ModelError
from luthier.models._adapter_format import CONFIG, WEIGHTS, Adapter, WritingType, damaged, peft_config, read_record
from luthier.models.architecture import CAUSAL, problem_of
from luthier.plugins import did_you_mean
from luthier.schema import LabelSet, ProblemType

ALL_LINEAR = "all-linear"

_PREFIX = "base_model.model."
_RECORD = "luthier_adapter"


class LoraLinear(nn.Module):
    """A frozen linear layer plus ``scaling * B(A(dropout(x)))``."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        self.lora_dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.scaling = alpha / rank
        nn.init.zeros_(self.lora_B.weight)

    @property
    def weight(self) -> torch.Tensor:
        """Return the base layer's weight: T5 looks at its type."""
        return self.base_layer.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., in_features) to (..., out_features), floating point, in the order of operations that peft uses."""
        result: torch.Tensor = self.base_layer(x) + self.lora_B(self.lora_A(self.lora_dropout(x))) * self.scaling
        return result

    def merged(self) -> nn.Linear:
        """Return the base layer with the product added to its weight, in place."""
        with torch.no_grad():
            self.base_layer.weight += (self.lora_B.weight @ self.lora_A.weight) * self.scaling
        return self.base_layer


def wrap(
    model: nn.Module,
    *,
    rank: int,
    alpha: float,
    dropout: float = 0.0,
    targets: str | Sequence[str] = ALL_LINEAR,
    trained: Iterable[str] = (),
    seed: int = 0,
) -> nn.Module:
    """Freeze a model, put low-rank products beside its linear layers and let whole modules train; in place.

    Args:
        model: any module with linear layers.
        rank: inner width of the product.
        alpha: the product is scaled by ``alpha / rank``.
        dropout: on the input of the product, while training.
        targets: ``"all-linear"`` (each linear layer outside ``trained``), or names that end a layer's dotted name.
        trained: modules that have no pretrained weights, such as the head; trained and saved whole.
        seed: of the product's first factor; the second starts at zero, so the wrapped model starts as the base.

    Returns:
        The same model.

    Raises:
        ModelError: a target matches no linear layer, or a trained module is not in the model.
    """
    trained = tuple(trained)
    _known(model, trained)
    chosen = tuple(_targets(model, targets, trained))
    record = Adapter(rank, alpha, dropout, chosen, trained)
    _apply(model, record)
    generator = torch.Generator().manual_seed(seed)
    for name in chosen:
        # The same start as nn.Linear and peft: uniform in +-1/sqrt(in_features).
        nn.init.kaiming_uniform_(model.get_submodule(name).lora_A.weight, a=math.sqrt(5), generator=generator)  # type: ignore[union-attr, arg-type]
    return model


def adapter_of(model: nn.Module) -> Adapter:
    """Return what ``wrap`` recorded on a model.

    Raises:
        ModelError: the model carries no adapter.
    """
    record = getattr(model, _RECORD, None)
    if not isinstance(record, Adapter):
        raise ModelError("this model carries no low-rank adapter", "wrap it with luthier.models.lora.wrap first")
    return record


def has_adapter(model: nn.Module) -> bool:
    """Return whether a model carries what ``wrap`` put on it, and not merged."""
    return isinstance(getattr(model, _RECORD, None), Adapter)


def save_adapter(model: nn.Module, directory: Path, *, base_name: str, revision: str | None = None) -> None:
    """Write ``adapter_model.safetensors``, ``adapter_config.json`` and ``config.json`` as PEFT lays them out.

    Args:
        model: as ``wrap`` returned it.
        directory: where to write; made when missing.
        base_name: hub id or name of the base model, never a path of this machine.
        revision: the base's revision on the hub.

    Raises:
        ModelError: the model carries no adapter.
    """
    from safetensors.torch import save_file

    record = adapter_of(model)
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in _saved(model, record)}
    save_file(tensors, directory / WEIGHTS, metadata={"format": "pt"})
    settings = json.dumps(peft_config(record, base_name, revision, writes=_writing_type(model)), indent=2,
                          sort_keys=True)
    (directory / CONFIG).write_text(settings + "\n", encoding="utf-8")
    config = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]  # type: ignore[union-attr]
    (directory / "config.json").write_text(config.to_json_string(), encoding="utf-8")  # type: ignore[operator, union-attr]


def _writing_type(model: nn.Module) -> WritingType | None:
    """Return what PEFT calls a model that writes; ``None`` of others."""
    if type(model).__name__.endswith(CAUSAL):
        return "CAUSAL_LM"
    writes = getattr(model.config, "is_encoder_decoder", False) and model.get_output_embeddings() is not None  # type: ignore[operator]
    return "SEQ_2_SEQ_LM" if writes else None


def load_adapter(directory: Path, base_directory: Path) -> nn.Module:
    """Open a saved adapter on its base model, in eval mode; logits are equal to the bit to those of the tuned model.

    Args:
        directory: what ``save_adapter`` wrote.
        base_directory: the base model's Hugging Face directory, the same weights that were tuned.

    Returns:
        The base with adapter and head, not merged, float32, frozen.

    Raises:
        BundleError: files are missing or do not fit the base model.
    """
    from safetensors.torch import load_file

    record = read_record(directory)
    if not (directory / WEIGHTS).is_file():
        raise damaged(directory, f"{WEIGHTS} is missing")
    stored = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(directory / WEIGHTS).items()}
    model = _open_base(directory, base_directory)
    try:
        _known(model, record.trained)
        _apply(model, record)
    except (AttributeError, ModelError, TypeError) as error:
        what = f"the adapter names layers that {base_directory.name} does not have ({error})"
        raise damaged(directory, what) from error
    _fill(model, record, stored, directory)
    return model.requires_grad_(False).eval()


def merge(model: nn.Module) -> nn.Module:
    """Fold every low-rank product into its linear layer, in place, and return the plain model.

    Logits agree with those of the wrapped model to about 1e-5 in float32, not to the bit: the sums have another order.
    """
    for name in adapter_of(model).targets:
        _replace(model, name, model.get_submodule(name).merged())  # type: ignore[operator]
    delattr(model, _RECORD)
    return model


def _known(model: nn.Module, trained: Iterable[str]) -> None:
    modules = dict(model.named_modules())
    for name in trained:
        if name not in modules:
            raise ModelError(f"the model has no module {name!r} to train whole", did_you_mean(name, modules))


def _targets(model: nn.Module, targets: str | Sequence[str], trained: tuple[str, ...]) -> Iterator[str]:
    """Yield the dotted names of the linear layers that a setting means, in the model's order.

    Never the layer that gives each word of the vocabulary its logit: it mostly shares its weight with the embeddings.
    """
    vocabulary = getattr(model, "get_output_embeddings", lambda: None)()
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not vocabulary
        and not any(name == head or name.startswith(f"{head}.") for head in trained)
    ]
    if not linear:
        raise ModelError("this model has no linear layer that LoRA could stand beside (GPT-2 and its kin have others)",
                         "choose another method, --method full or freeze, or another model")
    wanted = [targets] if isinstance(targets, str) else list(targets)
    if wanted == [ALL_LINEAR]:
        wanted = linear
    for target in wanted:
        if not any(_ends(name, target) for name in linear):
            raise ModelError(
                f"LoRA target {target!r} matches no linear layer; known ends: {', '.join(_ends_of(linear)) or 'none'}",
                f"set method.target_modules to some of those, or to {ALL_LINEAR!r}",
            )
    yield from (name for name in linear if any(_ends(name, target) for target in wanted))


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _ends_of(names: Iterable[str]) -> list[str]:
    return sorted({name.rpartition(".")[2] for name in names})


def _apply(model: nn.Module, record: Adapter) -> None:
    """Freeze all, free the modules trained whole, and set a ``LoraLinear`` at each target."""
    model.requires_grad_(False)
    for name in record.trained:
        model.get_submodule(name).requires_grad_(True)
    for name in record.targets:
        layer = model.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{name} is {type(layer).__name__}, not a linear layer")
        _replace(model, name, LoraLinear(layer, record.rank, record.alpha, record.dropout))
    setattr(model, _RECORD, record)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def _saved(model: nn.Module, record: Adapter) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (name below the model, tensor) of all that an adapter file holds."""
    for target in record.targets:
        for factor in ("lora_A", "lora_B"):
            yield f"{target}.{factor}.weight", model.get_submodule(f"{target}.{factor}").weight  # type: ignore[misc]
    for module in record.trained:
        for name, tensor in model.get_submodule(module).state_dict().items():
            yield f"{module}.{name}", tensor


def _fill(model: nn.Module, record: Adapter, stored: dict[str, torch.Tensor], directory: Path) -> None:
    wanted = dict(_saved(model, record))
    if faults := sorted(wanted.keys() ^ stored.keys()):
        raise damaged(directory, f"{WEIGHTS} and {CONFIG} disagree on {len(faults)} tensors, the first is {faults[0]}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if tensor.shape != stored[name].shape:
                shapes = f"{tuple(stored[name].shape)}, the base needs {tuple(tensor.shape)}"
                raise damaged(directory, f"{name} is {shapes}")
            tensor.copy_(stored[name])


def _open_base(directory: Path, base_directory: Path) -> nn.Module:
    """Open the base's weights with a head for the labels in the adapter's own config; the head is filled afterwards."""
    from luthier.models.building import build_classifier
    from luthier.models.causal import build_causal
    from luthier.models.masked import build_masked
    from luthier.models.seq2seq import build_seq2seq

    try:
        config: dict[str, Any] = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        names = config["id2label"]
        # Only models that score pairs are classifiers without a type.
        kind: ProblemType = problem_of(config) or config.get("problem_type") or "re_ranking"
        labels = LabelSet(tuple(names[str(number)] for number in range(len(names))), kind)
    except (OSError, ValueError, KeyError) as error:
        raise damaged(directory, f"config.json cannot be read ({error!r})") from error
    if labels.of_dialogues:
        return build_causal(base_directory, labels).model
    if labels.of_masks:
        return build_masked(base_directory, labels).model
    if labels.of_texts:
        return build_seq2seq(base_directory, labels).model
    return build_classifier(base_directory, labels).model
