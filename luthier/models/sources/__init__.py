"""Where pretrained models come from: a directory, an installed package or a hub, through one door."""

from __future__ import annotations

from luthier import plugins
from luthier.errors import ModelError
from luthier.models.files import ModelFiles, ModelInfo, cache_directory

__all__ = ["cache_directory", "list_models", "resolve"]

_FIRST, _LAST = ("directory", "package"), ("hub",)


def resolve(name: str, *, offline: bool = False) -> ModelFiles:
    """Return a pretrained model's files on this machine, converting or downloading them where that is needed.

    Args:
        name: a directory, a packaged name of ``list_models()``, or a hub id such as ``bert-base-chinese``.
        offline: never ask a hub; what was downloaded before is still found.

    Raises:
        ModelError: no source has the model, or what it has cannot be used.
    """
    for source in _order():
        module = plugins.load("models.sources", source)
        if module.claims(name):
            found: ModelFiles = module.fetch(name, offline=offline)
            return found
    known = ", ".join(info.name for info in list_models())
    raise ModelError(f"{name!r} is no model's name; packaged ones are {known}",
                     "give one of these, a hub id such as bert-base-chinese, or a directory such as ./my-model")


def list_models() -> list[ModelInfo]:
    """Describe the models that come as packages, for ``luthier models``."""
    from luthier.models.sources import package

    return package.list_models()


def _order() -> tuple[str, ...]:
    """Return the sources' names, nearest first; outsiders' come before the hub, which claims nearly any name."""
    others = set(plugins.names("models.sources")) - {*_FIRST, *_LAST}
    return (*_FIRST, *sorted(others), *_LAST)
