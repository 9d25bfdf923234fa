"""What every source checks of a model directory before handing it over."""

from __future__ import annotations

import re
from pathlib import Path

from luthier.errors import ModelError
from luthier.models.files import read_json

_LICENCE = re.compile(r"^license:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)


def check_directory(directory: Path, name: str) -> None:
    """Make sure that a directory holds a model that can be opened safely.

    Raises:
        ModelError: no readable configuration, an adapter without its base, weights missing or only as a pickle, or an
            index that points out of the directory.
    """
    if (directory / "adapter_config.json").is_file():
        raise ModelError(f"{name!r} holds an adapter, not a whole model",
                         "give the name of its base model instead; a run with method=full writes a whole model, which "
                         "others can start from")
    if not (directory / "config.json").is_file():
        raise ModelError(f"{name!r} holds no config.json, so it is no model directory", "give the directory with it")
    read_json(directory / "config.json")
    if (directory / "model.safetensors").is_file():
        return
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        _check_shards(directory, index, name)
        return
    pickles = sorted(path.name for path in directory.glob("*.bin"))
    if pickles:
        raise ModelError(
            f"{name!r} holds its weights only as a pickle ({pickles[0]}), which can run any code when opened",
            "convert it once where you trust it: AutoModel.from_pretrained(...).save_pretrained(directory), "
            "which writes model.safetensors; then give that directory",
        )
    raise ModelError(f"{name!r} holds no model.safetensors", "fetch or copy the model again")


def licence_of(directory: Path) -> str | None:
    """Return the licence named in the header of the model card, ``README.md``, if it names one."""
    card = directory / "README.md"
    if not card.is_file():
        return None
    text = card.read_text(encoding="utf-8", errors="replace")
    header = text[3:].split("\n---", 1)[0] if text.startswith("---") else ""
    found = _LICENCE.search(header)
    return found[1] if found else None


def _check_shards(directory: Path, index: Path, name: str) -> None:
    shards = {str(shard) for shard in read_json(index).get("weight_map", {}).values()}
    outside = sorted(shard for shard in shards if Path(shard).name != shard or not shard.endswith(".safetensors"))
    if outside:
        raise ModelError(
            f"the index of {name!r} points to {outside[0]!r}, outside its directory", "do not use this model"
        )
    missing = sorted(shard for shard in shards if not (directory / shard).is_file())
    if missing or not shards:
        raise ModelError(f"{name!r} lacks {missing[0] if missing else 'its weights'}", "fetch or copy the model again")
