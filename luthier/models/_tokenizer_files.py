"""The files of a tokenizer on disk: reading them from any model directory, writing ones that every tool reads alike."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError
from luthier.models.files import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

_UNLIMITED = 1_000_000
"""transformers writes 1e30 for "no limit known"."""


def read_tokenizer(directory: Path) -> Tokenizer:
    """Open ``tokenizer.json``; without one, let transformers convert the vocabulary that is there.

    Raises:
        ModelError: there is no tokenizer, or it cannot be read.
    """
    from tokenizers import Tokenizer

    path = directory / "tokenizer.json"
    if not path.is_file():
        return _converted(directory)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  the library raises bare Exception for whatever is wrong with a file
        raise ModelError(f"{path} is not a readable tokenizer: {error}", "fetch or copy the model again") from error


def read_tokenizer_config(directory: Path) -> dict[str, Any]:
    """Return ``tokenizer_config.json`` with what stands in files of its own: special tokens and the chat template."""
    config = read_json(directory / "tokenizer_config.json")
    template = directory / "chat_template.jinja"
    if template.is_file():
        config["chat_template"] = template.read_text(encoding="utf-8")
    special = read_json(directory / "special_tokens_map.json")
    for name in SPECIAL_TOKENS:
        token = config.get(name) or special.get(name)
        if token:
            config[name] = token["content"] if isinstance(token, dict) else token
    return config


_FROM_PADDING = ("roberta", "camembert", "mpnet", "longformer")
"""Parts of the types of models that number positions from the padding token's id on."""


def longest_input(config: dict[str, Any], tokenizer_config: dict[str, Any]) -> int | None:
    """Return the most tokens that a model takes, special ones included; ``None`` when its files do not say."""
    limits = []
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and positions > 0:
        # RoBERTa and its kin number positions from pad_token_id + 1, so that many rows of the table are never used.
        kind, pad = str(config.get("model_type")), config.get("pad_token_id")
        offset = (1 if pad is None else pad) + 1 if any(name in kind for name in _FROM_PADDING) else 0
        limits.append(positions - offset)
    stated = tokenizer_config.get("model_max_length")
    if isinstance(stated, int | float) and 0 < stated < _UNLIMITED:
        limits.append(int(stated))
    return min(limits, default=None)


def pad_id(tokenizer: Tokenizer, config: dict[str, Any], tokenizer_config: dict[str, Any]) -> int:
    """Return the id that fills a batch: the tokenizer's, else the model's, else that of the end of a text, else 0.

    The mask hides it, but transformers' classifiers of decoders look for the last token that is another: an ordinary
    word would be passed over where a text ends with it.
    """
    ends = config.get("eos_token_id")
    found = (_id(tokenizer, tokenizer_config.get("pad_token")), config.get("pad_token_id"),
             _id(tokenizer, tokenizer_config.get("eos_token")), *(ends if isinstance(ends, list) else [ends]))
    return next((one for one in found if isinstance(one, int)), 0)


def unknown_id(tokenizer: Tokenizer, tokenizer_config: dict[str, Any]) -> int | None:
    """Return the id of the token for what is not known; ``None`` where there is none."""
    return _id(tokenizer, tokenizer_config.get("unk_token"))


def _id(tokenizer: Tokenizer, token: object) -> int | None:
    return tokenizer.token_to_id(token) if isinstance(token, str) else None


def write_tokenizer(directory: Path, tokenizer: Tokenizer, config: dict[str, Any], max_length: int) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``special_tokens_map.json``."""
    directory.mkdir(parents=True, exist_ok=True)
    special = {name: config[name] for name in SPECIAL_TOKENS if name in config}
    # This class makes transformers take tokenizer.json as it stands; a model's own class may rebuild parts of it.
    kept = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length,
            "truncation_side": "right", "padding_side": "right",
            "model_input_names": config.get("model_input_names") or _input_names(tokenizer),
            "clean_up_tokenization_spaces": False, **special,
            **({"chat_template": config["chat_template"]} if config.get("chat_template") else {})}
    _write(directory / "tokenizer.json", tokenizer.to_str(pretty=False))
    _write(directory / "tokenizer_config.json", json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    _write(directory / "special_tokens_map.json", json.dumps(special, indent=2, ensure_ascii=False) + "\n")


def _input_names(tokenizer: Tokenizer) -> list[str]:
    paired = any(tokenizer.encode("a", "a").type_ids)
    return ["input_ids", *(["token_type_ids"] if paired else []), "attention_mask"]


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _converted(directory: Path) -> Tokenizer:
    from luthier import plugins

    if not directory.is_dir():
        raise ModelError(f"no model directory at {directory}", "check the path, or see `luthier models` for names")
    plugins.require("transformers")
    from transformers import AutoTokenizer

    refusal = ModelError(
        f"{directory} holds no tokenizer that can be read (expected tokenizer.json)",
        "save the model again with AutoTokenizer.from_pretrained(...).save_pretrained(directory)",
    )
    # Asked for nothing, transformers returns an empty tokenizer that reads every word as unknown.
    if not any(path for pattern in ("vocab*", "*.model", "merges.txt") for path in directory.glob(pattern)):
        raise refusal
    try:
        converted = AutoTokenizer.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
        return converted.backend_tokenizer
    except (OSError, ValueError, AttributeError, ImportError, KeyError, TypeError) as error:
        raise refusal from error
