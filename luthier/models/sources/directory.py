"""Models in a directory of this machine, as ``save_pretrained`` writes them."""

from __future__ import annotations

from pathlib import Path

from luthier.errors import ModelError
from luthier.models.files import ModelFiles, weights_sha256
from luthier.models.sources._checks import check_directory, licence_of


def claims(name: str) -> bool:
    """Return whether the name is a directory that exists, or can be nothing but a path."""
    return name.startswith(("/", "./", "../", "~", ".\\")) or (name.strip() != "" and Path(name).is_dir())


def fetch(name: str, *, offline: bool) -> ModelFiles:  # noqa: ARG001  a directory is always offline
    """Check the directory and return it.

    Raises:
        ModelError: it does not exist or holds no model that can be opened safely.
    """
    directory = Path(name).expanduser()
    if not directory.is_dir():
        raise ModelError(f"no model directory at {name}", "check the path, or see `luthier models` for names")
    try:
        check_directory(directory, name)
        path = directory.resolve()
        return ModelFiles(name, "directory", path, licence_of(path), None, weights_sha256(path))
    except PermissionError as error:
        raise ModelError(f"the model {name!r} cannot be read: {error}", "ask for the right to read it") from None
