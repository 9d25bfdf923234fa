"""What bundles say of texts: one value for each kind of answer, which turns itself into JSON and into cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from luthier.schema.arrays import Float32
from luthier.schema.examples import Span
from luthier.schema.labels import ANSWERED


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
class Generated:
    """The text that a model writes for another, in the words of a transformers pipeline."""

    generated_text: str
    finish_reason: Literal["stop", "length"]
    """``stop`` where the model or a stop string ended it, ``length`` where it got no more tokens: as many as allowed,
    as many as the model has places for, or those until its caller ended it."""
    score: float | None = None
    """How likely the model found it, in [0, 1]: the geometric mean of the probabilities that the model gave its tokens,
    the one that ended it included, before any rule of decoding. Of the best of several beams the exponential of its
    score: the sum of the log probabilities after the rules, divided by the number of tokens to the power of
    ``length_penalty``, at most 0; at 1, the default, that is a geometric mean, too. ``None`` where it is not known."""
    truncated: bool = False
    """True when the model did not see the end of the text that it writes for."""

    KEYS: ClassVar = ("generated_text", "score", "finish_reason", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return nothing; a text is no label."""
        return ()

    @property
    def label(self) -> str:
        """Return the text."""
        return self.generated_text

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        return {"generated_text": self.generated_text, "score": None if self.score is None else round(self.score, 6),
                "finish_reason": self.finish_reason, "truncated": self.truncated}

    def to_cells(self) -> dict[str, Any]:
        """Return what a table shows of it: the same, the score always with six digits."""
        return {**self.to_dict(), "score": None if self.score is None else f"{self.score:.6f}"}


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
