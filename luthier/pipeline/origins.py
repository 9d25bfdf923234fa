"""Models that are bundles themselves: what is taken of them, and what the new bundle says of where it comes from."""

from __future__ import annotations

from luthier.bundle import Licence, Manifest, read_manifest
from luthier.bundle.manifest import MANIFEST
from luthier.bundle.read import digest, is_bundle
from luthier.models.files import ModelFiles


def origin(base: ModelFiles) -> Manifest | None:
    """Return the manifest of the bundle that a model is, or ``None`` where it is none.

    Raises:
        BundleError: its manifest cannot be read.
    """
    return read_manifest(base.path) if base.source == "directory" and is_bundle(base.path) else None


def parent_hash(base: ModelFiles) -> str | None:
    """Return the sha256 of that bundle's manifest."""
    return None if origin(base) is None else digest(base.path / MANIFEST)


def licence_chain(base: ModelFiles, public_name: str) -> tuple[Licence, ...]:
    """Return the licences that a model brings: those of what it was tuned from and on, the nearest first."""
    own, found = Licence("base model", public_name, base.licence), origin(base)
    return (own,) if found is None else (own, *found.licences)


def said_of(base: ModelFiles, problem_type: str, new_modules: tuple[str, ...]) -> list[str]:
    """Return what there is to say of the model that tuning starts from.

    Args:
        base: the model.
        problem_type: what it is tuned for.
        new_modules: its parts without pretrained weights.
    """
    found, notes = origin(base), []
    if found is not None:
        same = found.labels.problem_type == problem_type
        what = "goes on from" if same else "takes the pretrained weights of"
        left = "" if same else f"; its own head, for {found.task.name}, is left out"
        notes.append(f"model: {what} the bundle {base.path.name}, written {found.created[:10]}{left}")
    if problem_type == "masked_language_modelling" and new_modules:
        notes.append("model: it has no head for hidden tokens and gets a new one, tied to its word vectors: the "
                     "perplexity before tuning is that of an untuned (new) head")
    return notes
