"""Opening a bundle as a PyTorch module, head and adapter included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from luthier.bundle import RESTORE, Manifest
from luthier.errors import BundleError, LimitError, ModelError
from luthier.models.files import read_json
from luthier.models.hardware import cores
from luthier.plugins import require

if TYPE_CHECKING:
    import torch

ATTENTION: Final = "sdpa"
"""How a reopened bundle computes attention: the fused kernel, whose memory does not grow with the square of T."""

MOST_THREADS = 1024
"""More than a machine has cores; torch itself fails on numbers far beyond."""


def open_module(directory: Path, manifest: Manifest, *, offline: bool) -> torch.nn.Module:
    """Open a full bundle, or an adapter bundle with its base, in float32 and eval mode.

    Raises:
        BundleError: the weights cannot be opened, or an adapter's base is another model now.
        ModelError: an adapter's base cannot be found.
    """
    require("torch", "transformers")
    return _load_adapter(directory, manifest, offline) if manifest.kind == "adapter" else _load_full(directory)


def read_config(directory: Path) -> dict[str, Any]:
    """Return the configuration of a bundle's model.

    Raises:
        BundleError: it is not there, or no JSON object.
    """
    file = directory / "config.json"
    try:
        found = read_json(file)
    except ModelError as error:
        raise BundleError(error.problem, RESTORE) from None
    if not found:
        raise BundleError(f"{file} is not there, or empty", RESTORE)
    return found


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads that no machine has.

    Raises:
        LimitError: it is no whole number, below 1 or above 1,024.
    """
    asked: object = threads  # whatever the caller's caller gave
    if asked is not None and not (isinstance(asked, int) and 1 <= asked <= MOST_THREADS):
        raise LimitError(f"threads is {threads}; expected 1 to {MOST_THREADS}", "leave it out to use every core")


def use_threads(threads: int | None) -> None:
    """Set the threads of torch's operators, which a whole process shares: as many as asked, else no more than cores.

    Raises:
        LimitError: see ``check_threads``.
    """
    import torch

    check_threads(threads)
    now = torch.get_num_threads()
    wanted = threads or min(now, cores())  # torch does not see the quota of a container
    if wanted != now:
        torch.set_num_threads(wanted)


def choose_device(asked: str | None) -> tuple[str, str]:
    """Return (device, reason).

    Raises:
        ModelError: the device asked for is not there.
    """
    import torch

    cuda = torch.cuda.is_available()
    if asked is None:
        return ("cuda", "a CUDA device is there") if cuda else ("cpu", "no CUDA device is there")
    try:
        kind = torch.device(asked).type
    except RuntimeError:
        kind = ""
    there = {"cpu": True, "cuda": cuda, "mps": torch.backends.mps.is_available()}
    if not there.get(kind, False):
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        raise ModelError(f"the device {asked!r} is not there; usable here: {usable}", "leave the device out")
    return asked, "asked for"


def _load_full(directory: Path) -> torch.nn.Module:
    from luthier.models.building import load_classifier

    try:
        return load_classifier(directory, attention=ATTENTION)
    except ModelError as error:
        raise BundleError(f"cannot open the weights of the bundle: {error.problem}", RESTORE) from error


def _load_adapter(directory: Path, manifest: Manifest, offline: bool) -> torch.nn.Module:
    from safetensors import SafetensorError

    from luthier.models import sources
    from luthier.models.lora import load_adapter

    base = manifest.base
    # A directory may have been moved together with the one that the command stands in, as into a container.
    named = str((manifest.recipe.get("model") or {}).get("name"))
    moved = base.source == "directory" and not Path(base.name).is_dir() and Path(named).is_dir()
    try:
        files = sources.resolve(named if moved else base.name, offline=offline)
    except ModelError as error:
        raise ModelError(f"the adapter bundle at {directory} needs its base model {base.name!r}: {error.problem}",
                         error.fix) from error
    if files.sha256 != base.sha256:
        raise BundleError(f"the adapter bundle at {directory} was tuned on another {base.name!r}: the weights found "
                          f"have sha256 {files.sha256[:12]}…, the manifest says {base.sha256[:12]}…",
                          "install or fetch the base model that it was tuned on, or train the adapter again")
    try:
        return load_adapter(directory, files.path)
    except SafetensorError as error:
        raise BundleError(f"cannot open the weights of the bundle at {directory}: {error}", RESTORE) from error
