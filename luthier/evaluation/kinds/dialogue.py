"""Conversations: the last answer is written anew and held against the right one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.evaluation.kind import Form, Named, Page, Printed
from luthier.evaluation.kinds.text_generation import (
    BY_DISTANCE,
    VALIDATED,
    baseline,
    doubts,
    facts,
    judge,
    shown,
    told,
)
from luthier.evaluation.likelihoods import PERPLEXITY, weighed_texts
from luthier.evaluation.report.dialogue_words import DIALOGUE_WORDS
from luthier.evaluation.texts import BLEU, CHRF, EXACT

__all__ = ["BASELINE", "BY_DISTANCE", "LOWER_IS_BETTER", "MAIN", "MAIN_TITLE", "METRICS", "PAGE", "SHORT", "VALIDATED",
           "baseline", "doubts", "facts", "judge", "printed", "shown", "told", "weighed"]

MAIN, MAIN_TITLE = CHRF, "chrF"
METRICS: dict[str, Form] = {
    CHRF: "share", "rougeL": "share", EXACT: "share", PERPLEXITY: "amount", BLEU: "share", "rouge1": "share",
    "rouge2": "share", "rougeLsum": "share",
}
LOWER_IS_BETTER = (PERPLEXITY,)
SHORT = (CHRF, "rougeL", EXACT, PERPLEXITY)
BASELINE = Named("plain", "what was said, its first sentence or three, or the answer to the nearest conversation")
PAGE = Page(headline=(CHRF, "rougeL"), drawn=(CHRF, "rougeL", EXACT), sections={}, suffix="_dialogue",
            words=DIALOGUE_WORDS, labelled=False)

weighed = weighed_texts


def printed(scores: Mapping[str, Any]) -> Printed:
    """Return chrF, ROUGE-L, equality and, of models, perplexity, and of one system alone the other scores."""
    perplexity = {PERPLEXITY: "perplexity"} if PERPLEXITY in scores["metrics"] else {}
    return Printed({CHRF: "chrF", "rougeL": "ROUGE-L", EXACT: "equal", **perplexity},
                   {BLEU: "BLEU", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeLsum": "ROUGE-Lsum"})
