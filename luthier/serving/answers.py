"""The JSON forms of answers, one for each class of answers, for the generated API description."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from luthier.schema import (
    Embedding,
    Entities,
    Estimate,
    Extraction,
    Filled,
    FoundAnswer,
    Generated,
    Prediction,
    Relevance,
    Reranked,
    Similarity,
)


class PredictionBody(BaseModel):
    """What a classifier says of one text, or of two stretches of it."""

    label: str = Field(description="The chosen label; several are joined with |, none gives the empty string.")
    labels: list[str] = Field(description="The chosen labels: exactly one unless the model gives several labels.")
    score: float = Field(description="Probability of the chosen label.")
    probabilities: dict[str, float] = Field(description="Probability of every label, in the order of the bundle.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class EntityBody(BaseModel):
    """One span."""

    entity_group: str = Field(description="Its label.")
    score: float = Field(description="Its probability: the mean over its words.")
    word: str = Field(description="The stretch of the text as it was sent.")
    start: int = Field(description="Its first character, counted in Unicode code points from 0.")
    end: int = Field(description="The character behind its last.")


class EntitiesBody(BaseModel):
    """What a model that finds entities says of one text."""

    entities: list[EntityBody] = Field(description="In the order of the text.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class RelationBody(BaseModel):
    """One relation between two of the spans."""

    label: str = Field(description="What holds, read from the subject to the object.")
    score: float = Field(description="Its probability, given the two spans.")
    subject: int = Field(description="Place of the subject among the entities, from 0.")
    object: int = Field(description="Place of the object among the entities, from 0.")


class ExtractionBody(BaseModel):
    """What a model that finds entities and the relations between them says of one text."""

    entities: list[EntityBody] = Field(description="In the order of the text.")
    relations: list[RelationBody] = Field(description="In the order of their subjects.")
    truncated: bool = Field(description="True when the model did not see the end of the text, or not all pairs.")


class AnswerBody(BaseModel):
    """What a model that answers questions says of one question."""

    answer: str = Field(description="The stretch of the context as it was sent; empty when there is no answer.")
    score: float = Field(description="Its probability.")
    start: int = Field(description="Its first character, counted in Unicode code points from 0.")
    end: int = Field(description="The character behind its last.")
    truncated: bool = Field(description="True when the question was too long and the model did not see its end.")


class EstimateBody(BaseModel):
    """What a model that gives numbers says of one text."""

    score: float = Field(description="The number, in the unit of the rows that the model was tuned on.")
    grade: int | None = Field(description="The nearest whole-number grade; null where the numbers are no grades.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class GeneratedBody(BaseModel):
    """What a model that writes texts says of one text."""

    generated_text: str = Field(description="What was written.")
    score: float | None = Field(description=(
        "Geometric mean of the probabilities that the model gave its tokens, the one that ended it included; with "
        "num_beams above 1 exp(sum of log probabilities / tokens ** length_penalty), at most 1."))
    finish_reason: Literal["stop", "length"] = Field(
        description="stop where the model or a stop string ended it, length where it got no more tokens.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class EmbeddingBody(BaseModel):
    """What a model that compares texts says of one text."""

    embedding: list[float] = Field(description="Its vector, of length 1: the product of two is their cosine.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class SimilarityBody(BaseModel):
    """What a model that compares texts says of a pair."""

    score: float = Field(description="Cosine of the two texts' vectors, from -1 to 1; only its order means something.")
    truncated: bool = Field(description="True when a text was too long and the model did not see its end.")


class FillBody(BaseModel):
    """A token that may stand at a mask."""

    sequence: str = Field(description="The text with the token in place of the mask.")
    score: float = Field(description="Its probability.")
    token: int = Field(description="Its number.")
    token_str: str = Field(description="What it spells.")


class FilledBody(BaseModel):
    """What a model that fills masks in says of one text."""

    masks: list[list[FillBody]] = Field(description="For each mask its likeliest tokens, the likeliest first.")
    truncated: bool = Field(description="True when the text was too long and the model did not see its end.")


class RelevanceBody(BaseModel):
    """What a model that orders passages says of a query with one passage."""

    score: float = Field(description="How well the passage answers the query, from 0 to 1.")
    truncated: bool = Field(description="True when a text was too long and the model did not see its end.")


class RankedBody(BaseModel):
    """One passage in its place."""

    index: int = Field(description="Which of the passages that were sent it is, from 0.")
    relevance_score: float = Field(description="How well it answers the query, from 0 to 1.")


class RerankedBody(BaseModel):
    """What a model that orders passages says of a query with several."""

    results: list[RankedBody] = Field(description="Every passage, the best first.")
    truncated: bool = Field(description="True when a text was too long and the model did not see its end.")


BODIES: dict[type, type[BaseModel]] = {
    Prediction: PredictionBody, Entities: EntitiesBody, Extraction: ExtractionBody, FoundAnswer: AnswerBody,
    Estimate: EstimateBody, Embedding: EmbeddingBody, Similarity: SimilarityBody, Generated: GeneratedBody,
    Filled: FilledBody, Relevance: RelevanceBody, Reranked: RerankedBody,
}
"""Class of answers -> how one is described; its fields are the class's ``KEYS``."""
