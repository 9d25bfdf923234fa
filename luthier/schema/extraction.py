"""What bundles say of texts in which they find entities and the relations between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from luthier.schema.answers import Entities, Entity
from luthier.schema.examples import Triple


@dataclass(frozen=True, slots=True)
class FoundRelation:
    """A relation that a model found between two of the entities it found."""

    label: str
    score: float
    """Probability in [0, 1] of the relation, given the two entities."""
    subject: int
    """The place of its subject among the entities, from 0."""
    object: int
    """The place of its object."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The spans that a model found in one text, and the relations between them."""

    entities: tuple[Entity, ...]
    """In the order of the text."""
    relations: tuple[FoundRelation, ...] = ()
    """In the order of their subjects, then of their objects."""
    truncated: bool = False
    """True when the model did not see the end of the text, or not all pairs of its entities."""

    KEYS: ClassVar = ("entities", "relations", "truncated")
    """Of ``to_dict``."""
    COLUMNS: ClassVar = KEYS
    """Of ``to_cells``."""

    @property
    def triples(self) -> tuple[Triple, ...]:
        """Return the relations with the spans they hold between."""
        return tuple(Triple(self.entities[one.subject].span, self.entities[one.object].span, one.label)
                     for one in self.relations)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the type of each span, then the label of each relation."""
        return (*(one.entity_group for one in self.entities), *(one.label for one in self.relations))

    @property
    def label(self) -> str:
        """Return all spans and relations in one line."""
        return "|".join((*(f"{one.start}-{one.end} {one.entity_group}" for one in self.entities),
                         *(f"{one.subject} {one.label} {one.object}" for one in self.relations)))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the server, ``luthier predict`` and the report share."""
        found = [{"label": one.label, "score": round(one.score, 6), "subject": one.subject, "object": one.object}
                 for one in self.relations]
        return {"entities": Entities(self.entities).to_dict()["entities"], "relations": found,
                "truncated": self.truncated}

    to_cells = to_dict
