"""What a file in ``evaluation/kinds/`` offers: all that scores, reports and terminals ask about one problem type.

A kind is a module named after its problem type (decision 0010). What several kinds share are plain functions that they
import; what is asked of a kind stands here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from luthier import plugins
from luthier.evaluation.scores import Judged, RowError
from luthier.recipe import EvaluationSettings
from luthier.schema import Answer, Dataset, Example, Float32, LabelSet, TextInput

if TYPE_CHECKING:
    from luthier.evaluation.evaluate import Evaluation
    from luthier.evaluation.report.content import Report
    from luthier.evaluation.token_frequencies import Vocabulary

SEAM = "evaluation.kinds"

Form = Literal["share", "plain", "amount"]
"""How a metric is written: a share in percent, a figure plain as 0.912, or with four digits like amounts in the data's
unit."""

Judge = Callable[[Sequence[Answer]], Judged]
"""Holds N answers against the truth."""


class PredictsTexts(Protocol):
    """Anything that answers texts: a bundle's predictor, a baseline, a test double."""

    def predict(self, texts: Sequence[TextInput]) -> Sequence[Answer]:
        """Return one answer for each text, in order: a value of the problem type's own answer class."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """What something is called."""

    short: str
    """In the head of a column."""
    long: str
    """In a sentence."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a terminal shows of scores."""

    columns: Mapping[str, str]
    """Metric -> its title, of the systems side by side."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Metric -> its title, of one system alone."""
    labels: tuple[str, str] = ("label", "rows")
    """Heads of the first and the last column of a table by label."""
    by_label: bool = False
    """Whether a run ends with such a table."""


@dataclass(frozen=True, slots=True)
class ShownError:
    """One error as the page shows it, in ready markup."""

    sure: str
    """How far off it is."""
    what: str
    """What was said, and what is right."""
    texts: str
    """What was asked."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a report's page shows, and in which words."""

    headline: tuple[str, str]
    """The metric of the headline and of its verdicts, and the one told beside it; both listed in ``METRICS``."""
    drawn: tuple[str, ...]
    """Shares drawn side by side as dots; may be empty."""
    sections: Mapping[str, Callable[[Report], str]]
    """Sections between scores and errors, in their order; each gives nothing where it has nothing to say."""
    suffix: str = ""
    """How the keys of words end that stand in for those without it."""
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Key -> what only these pages say, in English and Chinese; see ``report.words``."""
    labelled: bool = True
    """Whether rows are counted by label."""
    marked: bool = False
    """Whether the texts of errors carry marks, which need a legend."""


class Kind(Protocol):
    """One problem type, as evaluation sees it."""

    MAIN: str
    """The metric that verdicts go by."""
    MAIN_TITLE: str
    """What people call it."""
    VALIDATED: str
    """The metric that tells most of ``MAIN`` among those that are computed while tuning."""
    METRICS: Mapping[str, Form]
    """Metrics that reports list, in their order, as far as there are such -> how they are written."""
    LOWER_IS_BETTER: Collection[str]
    """Metrics of which less is better."""
    SHORT: tuple[str, ...]
    """Those kept in a bundle's manifest, as far as there are such."""
    BY_DISTANCE: bool
    """Whether every row that is off at all is listed as an error, the farthest first; else the wrong rows are."""
    BASELINE: Named
    """What models are compared with."""
    PAGE: Page

    def judge(self, examples: Sequence[Example], labels: LabelSet) -> Judge:
        """Check the truth that the rows carry, and return what holds answers against it.

        Raises:
            DataError: a row without what is scored, or with labels outside the set.
        """
        ...

    def baseline(self, dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:
        """Fit the simple model; see ``evaluation.fit_baseline``."""
        ...

    def told(self, error: RowError) -> dict[str, Any]:
        """Return what ``scores.json`` says of an error: what was right and what was said, never a word of the text."""
        ...

    def doubts(self, system: Evaluation) -> list[str]:
        """Return a sentence for each reason to think that a model has learned nothing, or not all."""
        ...

    def printed(self, scores: Mapping[str, Any]) -> Printed:
        """Return what a terminal shows of scores in the JSON form of ``Evaluation.to_dict``."""
        ...

    def facts(self, system: Evaluation) -> list[tuple[str, str]]:
        """Return what the page counts beside rows, cuts and speed: key of the words, figure."""
        ...

    def shown(self, error: RowError) -> ShownError:
        """Return an error as the page shows it."""
        ...


class SomeKind(Protocol):
    """The members that only some kinds have; who reads one asks first whether it is there."""

    def asked(self, examples: Sequence[Example], /) -> Sequence[TextInput]:
        """Return what a predictor is asked for these rows, where that is more than an answer to each.

        ``judge`` gets the answers to it.
        """
        ...

    def with_candidates(self, examples: Sequence[Example], settings: EvaluationSettings, /) -> list[Example]:
        """Return the rows that are scored: with what they need beside them, which depends on the settings."""
        ...

    def baseline_of_tokens(self, dataset: Dataset, vocabulary: Vocabulary, /) -> PredictsTexts:
        """Fit the simple model, where it counts tokens, with what cuts texts as the model does."""
        ...

    def weighed(self, judged: Judged, shares: Sequence[Float32], /) -> Judged:
        """Return what was judged with the scores of how likely the right texts are, where a model can tell.

        Args:
            judged: what ``judge`` made of the answers.
            shares: N arrays (T,), the log probability of each token of the first right text.
        """
        ...


def kind_of(problem_type: str) -> Kind:
    """Return the kind of that problem type.

    Raises:
        UnknownNameError: there is no such file; the message lists those there are.
    """
    return _load(problem_type)


def every_kind() -> tuple[Kind, ...]:
    """Return all kinds there are."""
    return tuple(_load(name) for name in _names())


@cache
def _load(name: str) -> Kind:
    # Kept: asking the installed packages for entry points takes milliseconds, and a page asks hundreds of times.
    return cast(Kind, plugins.load(SEAM, name))


@cache
def _names() -> tuple[str, ...]:
    return plugins.names(SEAM)
