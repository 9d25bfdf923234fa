"""What a file in ``bundle/kinds/`` offers: what a bundle's files say of one problem type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from luthier import plugins

if TYPE_CHECKING:
    from luthier.bundle.manifest import Manifest

SEAM = "bundle.kinds"


class BundleKind(Protocol):
    """One problem type, as a bundle's files and its card tell of it."""

    CONFIG: str | None
    """``problem_type`` in ``config.json``: only classifiers of texts have one there."""
    PIPELINE: str
    """The hub's name of the task."""
    DOOR: str
    """The class of transformers that opens such a model."""
    PAIR: str
    """How the two texts of a pair are called, as the arguments of a call."""
    OUTPUT: str
    """Code that takes what the model gives: ``model`` and ``batch`` are at hand."""
    UNSURE: str
    """What is said in place of whether probabilities are calibrated, where answers carry none; else empty."""

    def does(self, manifest: Manifest) -> str:
        """Return what the model does, in a sentence."""
        ...

    def labels(self, manifest: Manifest, data_report: Mapping[str, Any]) -> str:
        """Return what the card says of the labels; nothing leaves the section out."""
        ...

    def knows(self, manifest: Manifest) -> str:
        """Return where what the model knows ends, in a sentence."""
        ...


class SomeKind(Protocol):
    """The members that only some kinds have; who reads one asks first whether it is there."""

    TEXT: str
    """Code: what the tokenizer is given in place of ``"some text"``."""
    ROW: str
    """Code: what the predictor is given in place of that."""
    BATCH: str
    """Code that makes ``batch`` with ``tokenizer``, in place of a plain call."""
    CUT: str
    """What is said of length in place of how many tokens are read; ``{length}`` stands for them."""


@cache
def kind_of(problem_type: str) -> BundleKind:
    """Return the kind of that problem type.

    Raises:
        UnknownNameError: there is no such file; the message lists those there are.
    """
    return cast(BundleKind, plugins.load(SEAM, problem_type))
