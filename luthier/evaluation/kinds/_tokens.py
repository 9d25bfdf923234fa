"""What the kinds of language models share: how documents are judged, shown and told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluate import Evaluation
from luthier.evaluation.kind import Named, PredictsTexts, Printed, ShownError
from luthier.evaluation.kinds._labels import learned_nothing
from luthier.evaluation.likelihoods import PERPLEXITY
from luthier.evaluation.perplexities import ACCURACY, Perplexities, documents_of
from luthier.evaluation.report.html import amount, both, count
from luthier.evaluation.report.sections.error_parts import quoted
from luthier.evaluation.scores import RowError
from luthier.evaluation.token_frequencies import Vocabulary, fit_token_frequencies
from luthier.schema import Dataset, Example, Likelihood, TextInput
from luthier.text.said import Said

BASELINE = Named("frequencies", "how common each token is in the training documents")
_FEW = 200
"""Tokens asked for below which a perplexity says little."""


def asked(examples: Sequence[Example]) -> list[TextInput]:
    """Return the documents, to be weighed and not filled in or gone on with."""
    return documents_of(examples)


def baseline(dataset: Dataset, language: str, *, threshold: float, seed: int) -> PredictsTexts:  # noqa: ARG001 - asked of all
    """Count the characters of the training documents; see ``baseline_of_tokens``."""
    return fit_token_frequencies(dataset, None)


def baseline_of_tokens(dataset: Dataset, vocabulary: Vocabulary) -> PredictsTexts:
    """Count the tokens of the training documents as the model sees them, so that perplexities compare."""
    return fit_token_frequencies(dataset, vocabulary)


def told(error: RowError) -> dict[str, Any]:
    """Return the document's perplexity and how many tokens it was asked for."""
    given = _likelihood(error)
    return {"perplexity": float(given.label), "tokens": given.tokens}


def doubts(system: Evaluation) -> list[str]:
    """Tell of a model that tells no token rightly, and of too few tokens to say anything."""
    outcomes, found = system.outcomes, list[str]()
    assert isinstance(outcomes, Perplexities)  # noqa: S101 - judged as such
    tokens = int(outcomes.sums[:, 1].sum())
    if system.scores.values[ACCURACY] == 0:
        found.append(learned_nothing("tells no token of any test document rightly",
                                     "没有猜对任何测试文档中的任何词元"))
    if tokens < _FEW and system.wrong:
        found.append(Said(f"the perplexity is of only {tokens} tokens of the test documents, and uncertain: give more "
                          "text",
                          f"困惑度只来自测试文档中的 {tokens} 个词元，并不可靠：请提供更多文本"))
    return found


def columns(scores: Mapping[str, Any], more: Mapping[str, str]) -> Printed:
    """Return perplexity and accuracy, and beside them what else there is."""
    found = {name: title for name, title in more.items() if name in scores["metrics"]}
    return Printed({PERPLEXITY: "perplexity", ACCURACY: "right tokens", **found})


def facts(system: Evaluation) -> list[tuple[str, str]]:
    """Return how many tokens were asked for."""
    outcomes = system.outcomes
    assert isinstance(outcomes, Perplexities)  # noqa: S101 - judged as such
    kind = system.labels.problem_type.partition("_")[0]
    return [(f"fact_tokens_{kind}", count(int(outcomes.sums[:, 1].sum())))]


def shown(error: RowError) -> ShownError:
    """Return the document's perplexity, and the document."""
    given = _likelihood(error)
    return ShownError(both("points", value=amount(given.perplexity)), "", quoted(error.example.text, None))


def _likelihood(error: RowError) -> Likelihood:
    assert isinstance(error.prediction, Likelihood)  # noqa: S101 - judged as such
    return error.prediction
