"""Rows of text with what a person said of them, and the data set that is prepared from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from luthier.schema.arrays import Int64, TextInput
from luthier.schema.conversations import Conversation
from luthier.schema.labels import ANSWERED, LabelSet
from luthier.schema.marked import Argument, Marked
from luthier.schema.rankings import Candidates


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a text."""

    start: int
    """Its first character, counted in code points from 0."""
    end: int
    """The character behind its last."""
    label: str


@dataclass(frozen=True, slots=True, order=True)
class Triple:
    """A relation between two labelled stretches of a text."""

    subject: Span
    object: Span
    label: str
    """What holds between them, read from the subject to the object."""


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """A right answer to a question, as it stands in its context."""

    text: str
    start: int | None
    """Its first character in the context, counted in code points from 0; ``None`` where it does not stand there, so
    that answers can be scored against it and nothing can be learned from it."""
    moved: bool = field(default=False, compare=False)
    """Whether it came with another place, which held other words."""

    @property
    def span(self) -> Span | None:
        """Return where it stands in the context."""
        return None if self.start is None else Span(self.start, self.start + len(self.text), ANSWERED)


@dataclass(frozen=True, slots=True)
class Passages:
    """What belongs to a query, and what does not."""

    positive: tuple[str, ...]
    """Texts that shall be found, one or more."""
    negative: tuple[str, ...] = ()
    """Texts that look right and are not."""
    grades: tuple[float, ...] = ()
    """How relevant each positive is, above 0; empty where all are alike, which is 1."""
    candidates: tuple[str, ...] | None = None
    """What another search found for the query, in its order, to be ordered anew; ``None`` where none was asked."""

    @property
    def relevance(self) -> tuple[float, ...]:
        """Return how relevant each positive is."""
        return self.grades or (1.0,) * len(self.positive)


@dataclass(frozen=True, slots=True)
class Example:
    """One row of text, labelled or not."""

    id: str
    """Where it came from: ``<file name>:<line>``. Unique within a run."""
    text: str
    text_b: str | None = None
    """The second text of a pair."""
    labels: tuple[str, ...] | None = None
    """K label names; ``None`` when the row is unlabelled, ``()`` when it is labelled with nothing (several labels)."""
    spans: tuple[Span, ...] | None = None
    """Labelled spans of ``text`` in their order; ``None`` where spans are not what is labelled."""
    triples: tuple[Triple, ...] | None = None
    """Relations between ``spans``, in their order; ``None`` where they are not what is labelled."""
    value: float | None = None
    """The number that the text (or pair) has; ``None`` where numbers are not what is learned."""
    answers: tuple[GoldAnswer, ...] | None = None
    """Right answers to the question ``text`` in the context ``text_b``, each as good as the others; ``()`` when the
    context answers it not, ``None`` where answers are not what is labelled."""
    targets: tuple[str, ...] | None = None
    """Texts that may be written for ``text``, each as good as the others, of which the first is learned; ``None`` where
    texts are not what is learned."""
    passages: Passages | None = None
    """What belongs to the query ``text``; ``None`` where passages are not what is learned."""
    arguments: tuple[Argument, Argument] | None = None
    """Head and tail, stretches of ``text`` whose relation is its label; ``None`` where a text has no such."""
    conversation: Conversation | None = None
    """The turns that the targets answer, of which ``text`` tells people; ``None`` where rows are texts."""
    group: str | None = None
    """What rows have in common that must not stand in two splits, such as the article that their contexts are from."""
    tokens: Int64 | None = field(default=None, compare=False, repr=False)
    """(T, 2) int64: start and end of each token that ``text`` was joined from, in code points; ``None`` where it came
    whole. Spans are counted by characters; scores of single tokens are counted by these."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the labels that the row carries, or those of its spans and then of the relations between them, each as
        often as it stands there."""
        if self.answers is not None:
            return (ANSWERED,) if self.answers else ()
        return self.labels or (*(span.label for span in self.spans or ()), *(one.label for one in self.triples or ()))

    @property
    def text_input(self) -> TextInput:
        """Return what a predictor takes for this row: its text, its pair of texts, its conversation, or its text with
        what is marked; of a query with candidates both."""
        if self.passages is not None and self.passages.candidates is not None:
            return Candidates(self.text, self.passages.candidates)
        if self.conversation is not None:
            return self.conversation
        if self.arguments is not None:
            return Marked(self.text, *self.arguments)
        return self.text if self.text_b is None else (self.text, self.text_b)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Prepared examples in three disjoint splits, with the label order decided once for all."""

    train: tuple[Example, ...]
    valid: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: LabelSet
    content_hash: str
    """sha256 over every kept row (id, text, pair, labels) in split order: the same data gives the same hash."""

    def splits(self) -> Iterator[tuple[str, tuple[Example, ...]]]:
        """Yield ``("train", examples)``, ``("valid", …)``, ``("test", …)``."""
        yield "train", self.train
        yield "valid", self.valid
        yield "test", self.test
