"""Label names in their one order, and the scale of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from luthier.schema.arrays import Int64

ProblemType = Literal["single_label_classification", "multi_label_classification", "token_classification",
                      "question_answering", "regression", "relation_classification", "similarity", "retrieval",
                      "re_ranking", "text_generation", "dialogue", "joint_extraction", "masked_language_modelling",
                      "causal_language_modelling"]
"""What carries labels: a text, one or several of them, in the words of a Hugging Face ``config.json``; or spans; or,
of a question and a context, the stretches of the context that answer it; or two marked stretches of a text; or whether
a text has a number instead; or how alike two texts are; or which passages belong to a query, found by
their vectors or told by reading both; or another text that is to be written for it, or for a conversation; or the
relations between spans, which are found with them; or nothing but the text itself, whose tokens are told from those
around them, or from those before them."""

ANSWERED = "answer"
"""The one label of question answering: a question that its context answers carries it, any other one none."""
EMBEDDING = "embedding"
"""What the one output of an encoder without a head is called: its D numbers together."""

GENERATED = "generated_text"
"""The one name in the label set of texts that are written; no row carries it."""

TOKEN = "token"  # noqa: S105 - no secret
"""The one name in the label set of language models, whose outputs are the tokens of their vocabulary."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers of the training rows, in the caller's own unit."""

    mean: float
    deviation: float
    """Standard deviation, above 0: the root of the mean squared distance from ``mean``."""
    grades: tuple[int, ...] = ()
    """The distinct numbers in their order, where all are whole and few; else empty."""

    def standard(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return numbers of any shape as deviations from the mean."""
        return (np.asarray(values, np.float64) - self.mean) / self.deviation

    def natural(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Undo ``standard``."""
        return np.asarray(values, np.float64) * self.deviation + self.mean

    def nearest(self, values: npt.NDArray[Any]) -> Int64:
        """Return the place in ``grades`` of the grade nearest to each of N numbers, the lower of two equally near."""
        return np.asarray(np.abs(np.asarray(values, np.float64)[:, None] - self.grades).argmin(axis=1), np.int64)


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The label names in the one order that everything after *prepare* uses."""

    names: tuple[str, ...]
    problem_type: ProblemType = "single_label_classification"
    scale: Scale | None = None
    """Of the numbers, where the one name is that of a number."""
    path_separator: str | None = None
    """What stands between the levels of names that are paths, such as ``Home > Garden``; ``None``: names are flat."""
    descriptions: tuple[str, ...] = ()
    """What each name means, in its order, empty where nothing is said; none where nothing is said of any."""
    negative: str | None = None
    """The label of pairs that no relation holds between, where the labels are relations and there is one."""
    types: tuple[str, ...] = ()
    """The types of the spans between which relations hold, where both are found; the names are the relations then."""

    def __len__(self) -> int:
        """Return C, the number of classes."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the class number of a label name; ``ValueError`` when it is not in the set."""
        return self.names.index(name)

    @property
    def multi_label(self) -> bool:
        """Whether one row may carry several labels or none."""
        return self.problem_type == "multi_label_classification"

    @property
    def of_spans(self) -> bool:
        """Whether spans carry the labels."""
        return self.problem_type == "token_classification"

    @property
    def of_answers(self) -> bool:
        """Whether questions are answered from their contexts."""
        return self.problem_type == "question_answering"

    @property
    def of_texts(self) -> bool:
        """Whether a text is written for each text or conversation."""
        return self.problem_type == "text_generation" or self.of_dialogues

    @property
    def of_dialogues(self) -> bool:
        """Whether rows are conversations, which the text that is written goes on with."""
        return self.problem_type == "dialogue"

    @property
    def of_masks(self) -> bool:
        """Whether hidden tokens of a text are told from those around them."""
        return self.problem_type == "masked_language_modelling"

    @property
    def of_tokens(self) -> bool:
        """Whether nothing but texts is learned from: their tokens, hidden ones or next ones, are what is told."""
        return self.of_masks or self.problem_type == "causal_language_modelling"

    @property
    def of_relations(self) -> bool:
        """Whether two marked stretches of a text carry the label."""
        return self.problem_type == "relation_classification"

    @property
    def of_triples(self) -> bool:
        """Whether spans are found, and the relations between them."""
        return self.problem_type == "joint_extraction"

    @property
    def known(self) -> frozenset[str]:
        """Return all names that a row may carry: those of the labels, and the types of spans beside them."""
        return frozenset((*self.names, *self.types))

    @property
    def of_embeddings(self) -> bool:
        """Whether texts are compared, and a model gives each one a vector."""
        return self.problem_type in ("similarity", "retrieval")

    @property
    def of_candidates(self) -> bool:
        """Whether a model reads a query with one passage at a time, and orders those it is given."""
        return self.problem_type == "re_ranking"

    @property
    def per_token(self) -> bool:
        """Whether a model has outputs for each token, and not for the text."""
        return self.of_spans or self.of_answers or self.of_relations or self.of_triples
