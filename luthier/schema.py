"""The values that cross boundaries between the stages. Standard library and numpy only.

Axis letters, fixed for the project: N rows, B batch, T tokens, D width, H heads, L layers, C classes, K labels of one
row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

ProblemType = Literal["single_label_classification", "multi_label_classification", "token_classification",
                      "question_answering", "regression"]
"""What carries labels: a text, one or several of them, in the words of a Hugging Face ``config.json``; or spans; or,
of a question and a context, the stretches of the context that answer it; or whether a text has a number instead."""

ANSWERED = "answer"
"""The one label of question answering: a question that its context answers carries it, any other one none."""

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Logits = Float32 | list[Float32]
"""Of N texts, (N, C), or of the tokens of W windows, W arrays (T, C)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Something decided for the user, with the reason that the log shows."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled stretch of a text."""

    start: int
    """Its first character, counted in code points from 0."""
    end: int
    """The character behind its last."""
    label: str


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
    value: float | None = None
    """The number that the text (or pair) has; ``None`` where numbers are not what is learned."""
    answers: tuple[GoldAnswer, ...] | None = None
    """Right answers to the question ``text`` in the context ``text_b``, each as good as the others; ``()`` when the
    context answers it not, ``None`` where answers are not what is labelled."""
    group: str | None = None
    """What rows have in common that must not stand in two splits, such as the article that their contexts are from."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the labels that the row carries, or those of its spans, each as often as it stands there."""
        if self.answers is not None:
            return (ANSWERED,) if self.answers else ()
        return self.labels or tuple(span.label for span in self.spans or ())

    @property
    def text_input(self) -> TextInput:
        """Return what a predictor takes for this row: its text, or its pair of texts."""
        return self.text if self.text_b is None else (self.text, self.text_b)


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
    def of_numbers(self) -> bool:
        """Whether texts have a number, and no label."""
        return self.problem_type == "regression"

    @property
    def of_answers(self) -> bool:
        """Whether questions are answered from their contexts."""
        return self.problem_type == "question_answering"

    @property
    def per_token(self) -> bool:
        """Whether a model has outputs for each token, and not for the text."""
        return self.of_spans or self.of_answers


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids of B texts, padded on the right to the longest, T."""

    ids: Int64
    """(B, T) int64 token ids."""
    mask: Bool
    """(B, T) bool, true where a token is real."""
    type_ids: Int64 | None
    """(B, T) int64 segment ids, or ``None`` when the model has no use for them."""
    truncated: Bool
    """(B,) bool, true where the text was longer than the length policy allows and lost its end."""


class Answer(Protocol):
    """What a bundle of any task says of one text."""

    @property
    def truncated(self) -> bool:
        """True when the model did not see the end of the text."""

    @property
    def label(self) -> str:
        """Return what was decided in one word or line; equal for equal decisions."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels given, each as often as it was."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it, column by column; texts, numbers and lists."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span that a model found, in the words of a transformers pipeline."""

    entity_group: str
    """Its label."""
    score: float
    """Probability in [0, 1]: the mean of its words'."""
    word: str
    """The stretch of the caller's own text."""
    start: int
    """Its first character, counted in code points from 0."""
    end: int
    """The character behind its last."""

    @property
    def span(self) -> Span:
        """Return the entity without score and word."""
        return Span(self.start, self.end, self.entity_group)


@dataclass(frozen=True, slots=True)
class Entities:
    """The spans that a model found in one text."""

    entities: tuple[Entity, ...]
    """In the order of the text."""
    truncated: bool = False
    """True when the model did not see the end of the text."""

    KEYS: ClassVar = ("entities", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = ("entities", "truncated")
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the label of each span."""
        return tuple(one.entity_group for one in self.entities)

    @property
    def label(self) -> str:
        """Return all spans in one line."""
        return "|".join(f"{one.start}-{one.end} {one.entity_group}" for one in self.entities)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        found = [{"entity_group": one.entity_group, "score": round(one.score, 6), "word": one.word,
                  "start": one.start, "end": one.end} for one in self.entities]
        return {"entities": found, "truncated": self.truncated}

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it: the entities as a list, and whether the end was cut."""
        return self.to_dict()


@dataclass(frozen=True, slots=True)
class Estimate:
    """The number that a model gives a text."""

    score: float
    """In the unit of the training rows."""
    grade: int | None = None
    """The nearest of the whole-number grades of the training rows; ``None`` where they were no grades."""
    truncated: bool = False
    """True when the model did not see the end of the text."""

    KEYS: ClassVar = ("score", "grade", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the grade, if there is one; a number is no label."""
        return () if self.grade is None else (str(self.grade),)

    @property
    def label(self) -> str:
        """Return the grade, or the number."""
        return f"{self.score:.7g}" if self.grade is None else str(self.grade)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share; seven digits, as float32."""
        return {"score": float(f"{self.score:.7g}"), "grade": self.grade, "truncated": self.truncated}

    to_cells = to_dict


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What a model says of a question and its context, in the words of a transformers pipeline."""

    answer: str
    """The stretch of the caller's own context; empty where the context answers the question not."""
    score: float
    """Probability in [0, 1]: that of its start times that of its end."""
    start: int
    """Its first character in the context, counted in code points from 0."""
    end: int
    """The character behind its last."""
    truncated: bool = False
    """True when the model did not see the end of the question."""

    KEYS: ClassVar = ("answer", "score", "start", "end", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = ("answer", "score", "start", "end", "truncated")
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return whether there is an answer, as a label."""
        return (ANSWERED,) if self.answer else ()

    @property
    def label(self) -> str:
        """Return the answer and where it stands; empty without one."""
        return f"{self.start}-{self.end} {self.answer}" if self.answer else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        return {"answer": self.answer, "score": round(self.score, 6), "start": self.start, "end": self.end,
                "truncated": self.truncated}

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it: the same, the score always with six digits."""
        return {**self.to_dict(), "score": f"{self.score:.6f}"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a classifier says of one text."""

    labels: tuple[str, ...]
    """The label names chosen: exactly one for single-label bundles, any number for multi-label ones."""
    names: tuple[str, ...] = field(repr=False)
    """The whole label set, C names, in the bundle's order."""
    probabilities: Float32 = field(repr=False)
    """(C,) float32 in [0, 1]; sums to 1 for single-label bundles."""
    truncated: bool = False
    """True when the model did not see the end of the text."""

    KEYS: ClassVar = ("label", "labels", "score", "probabilities", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = ("label", "score", "truncated")
    """Of ``to_cells``."""

    @property
    def label(self) -> str:
        """Return the chosen label; several are joined with ``|``, none gives the empty string."""
        return "|".join(self.labels)

    @property
    def score(self) -> float:
        """Return the probability of the chosen label (of the least sure one when several are chosen).

        With no label chosen it is the probability that none applies to the likeliest class, ``1 - max``.
        """
        if not self.labels:
            return float(1.0 - self.probabilities.max())
        return float(min(self.probabilities[self.names.index(name)] for name in self.labels))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        scores = {name: round(float(p), 6) for name, p in zip(self.names, self.probabilities, strict=True)}
        return {
            "label": self.label,
            "labels": list(self.labels),
            "score": round(self.score, 6),
            "probabilities": scores,
            "truncated": self.truncated,
        }

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it: the chosen label, its score, and whether the end was cut."""
        return {"label": self.label, "score": f"{self.score:.6f}", "truncated": self.truncated}


TextInput = str | tuple[str, str] | Sequence[str]
"""What a predictor takes for one row: a text, or a pair of texts."""
