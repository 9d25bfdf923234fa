"""Texts each token of which is told from those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.evaluation.kind import Form, Judge, Page, Printed
from luthier.evaluation.kinds._tokens import (
    BASELINE,
    asked,
    baseline,
    baseline_of_tokens,
    columns,
    doubts,
    facts,
    shown,
    told,
)
from luthier.evaluation.likelihoods import PERPLEXITY
from luthier.evaluation.perplexities import ACCURACY, BITS_BYTE, BITS_CHARACTER, documents_of, judge_likelihoods
from luthier.evaluation.report.token_words import CAUSAL_WORDS
from luthier.schema import Example, LabelSet

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "asked", "baseline", "baseline_of_tokens", "doubts", "facts", "judge", "printed", "shown", "told"]

MAIN, MAIN_TITLE = PERPLEXITY, "perplexity"
VALIDATED = "perplexity"
METRICS: dict[str, Form] = {PERPLEXITY: "amount", ACCURACY: "share", BITS_CHARACTER: "amount",
                            BITS_BYTE: "amount"}
LOWER_IS_BETTER = (PERPLEXITY, BITS_CHARACTER, BITS_BYTE)
SHORT = (PERPLEXITY, ACCURACY, BITS_BYTE)
BY_DISTANCE = True
PAGE = Page(headline=(PERPLEXITY, ACCURACY), drawn=(), sections={}, suffix="_causal", words=CAUSAL_WORDS,
            labelled=False)


def judge(examples: Sequence[Example], labels: LabelSet) -> Judge:  # noqa: ARG001 - as all kinds are asked
    """Return what sums up ``Likelihood``s of the documents."""
    documents_of(examples)
    return lambda answers: judge_likelihoods(answers, examples, whole=True)


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return perplexity and the share of tokens that were the likeliest, and bits by character and byte."""
    return columns(scores, {BITS_CHARACTER: "bits/character", BITS_BYTE: "bits/byte"})
