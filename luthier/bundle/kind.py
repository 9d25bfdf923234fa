"""What a file in ``bundle/kinds/`` offers: what a bundle's files say of one problem type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from luthier import plugins

if TYPE_CHECKING:
    from luthier.bundle.manifest import Manifest

SEAM = "bundle.kinds"


@dataclass(frozen=True, slots=True)
class Use:
    """How a bundle is used without Luthier."""

    pipeline: str
    """The hub's name of the task."""
    door: str
    """The class of transformers that opens it."""
    output: str
    """Code that takes what the model gives: ``model`` and ``batch`` are at hand."""
    batch: str | None = None
    """Code that makes ``batch``, where a text alone is not what the model is given; ``tokenizer`` is at hand."""
    cut: str | None = None
    """What is cut at ``{length}`` tokens, in place of the ends of texts."""


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
    HEADING: str
    """What stands over what the card says of labels, where they are none."""
    HEADLESS: bool
    """Whether no part of its models is new."""

    def use(self, manifest: Manifest) -> Use:
        """Return how a bundle is used, in place of ``PIPELINE``, ``DOOR``, ``OUTPUT``, ``BATCH`` and ``CUT``, where not
        all are used alike."""
        ...


@cache
def kind_of(problem_type: str) -> BundleKind:
    """Return the kind of that problem type.

    Raises:
        UnknownNameError: there is no such file; the message lists those there are.
    """
    return cast(BundleKind, plugins.load(SEAM, problem_type))
