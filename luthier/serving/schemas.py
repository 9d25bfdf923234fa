"""The JSON forms, for the generated API description. Checking is done in ``wire``, whose messages name the place."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

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

_PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
_OBJECT = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "text_b": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}

_QUESTION = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "context": {"type": "string"}},
    "required": ["question", "context"],
    "additionalProperties": False,
}

_CONVERSATION = {
    "type": "object",
    "properties": {"messages": {"type": "array", "minItems": 1, "items": {
        "type": "object", "properties": {"role": {"enum": ["system", "user", "assistant"]},
                                         "content": {"type": "string"}}, "required": ["role", "content"]}}},
    "required": ["messages"],
    "additionalProperties": False,
}

_SEARCH = {
    "type": "object",
    "properties": {"query": {"type": "string"}, "passage": {"type": "string"}},
    "minProperties": 1,
    "additionalProperties": False,
}

_LIST = {
    "type": "object",
    "properties": {"query": {"type": "string"},
                   "passages": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
    "required": ["query", "passages"],
    "additionalProperties": False,
}

_ARGUMENT = {
    "type": "object",
    "properties": {"start": {"type": "integer", "minimum": 0}, "end": {"type": "integer", "minimum": 1},
                   "type": {"type": "string", "description": "What it names, where that is known: person, city."}},
    "required": ["start", "end"],
    "additionalProperties": False,
}

_MARKED = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "head": _ARGUMENT, "tail": _ARGUMENT},
    "required": ["text", "head", "tail"],
    "additionalProperties": False,
}

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "additionalProperties": False,
                "example": {"inputs": ["心情很好", "the delivery was late"]},
                "properties": {
                    "inputs": {
                        "description": "One text, or a list; a pair is a list of two texts inside it, or an object.",
                        "oneOf": [
                            {"type": "string"},
                            {"type": "array", "minItems": 1,
                             "items": {"oneOf": [{"type": "string"}, _PAIR, _OBJECT, _QUESTION, _MARKED, _SEARCH,
                                                 _LIST, _CONVERSATION]}},
                            _OBJECT,
                            _QUESTION,
                            _MARKED,
                            _SEARCH,
                            _LIST,
                            _CONVERSATION,
                        ],
                    }
                },
            },
            "examples": {
                "list": {"summary": "several texts", "value": {"inputs": ["心情很好", "the delivery was late"]}},
                "single": {"summary": "one text", "value": {"inputs": "心情很好"}},
                "pair": {"summary": "pairs", "value": {"inputs": [["a man eats", "he is asleep"]]}},
                "question": {"summary": "a question and its context",
                             "value": {"inputs": {"question": "Who came?", "context": "Ann came at noon."}}},
                "relation": {"summary": "a text with the two stretches whose relation is asked",
                             "value": {"inputs": {"text": "The ring was in a box.", "head": {"start": 4, "end": 8},
                                                  "tail": {"start": 18, "end": 21}}}},
                "passages": {"summary": "a query with passages to be ordered",
                             "value": {"inputs": {"query": "When do you open?",
                                                  "passages": ["We open at ten.", "Cards are free."]}}},
                "conversation": {"summary": "a conversation to be answered",
                                 "value": {"inputs": {"messages": [{"role": "user", "content": "Is it open?"}]}}},
            },
        }
    },
}
"""The request body of ``POST /predict`` in the words of OpenAPI."""


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
    Filled: FilledBody,
    Relevance: RelevanceBody, Reranked: RerankedBody,
}
"""Class of answers -> how one is described; its fields are the class's ``KEYS``."""

_ONE: Any = reduce(or_, BODIES.values())
_SEVERAL: Any = reduce(or_, [list[body] for body in BODIES.values()])  # type: ignore[valid-type]  # told at run time

PredictAnswer = create_model(
    "PredictAnswer",
    __doc__="The answer of ``POST /predict``: the form goes by what the model gives, such as classes or entities.",
    model=(str, Field(description="Name of the model that answered.")),
    predictions=(_ONE | _SEVERAL, Field(description="One object or a list, as inputs was.")),
)
"""The answer of ``POST /predict``."""


RERANK_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": {
        "type": "object",
        "required": ["query", "documents"],
        "example": {"query": "When do you open?", "documents": ["We open at ten.", "Cards are free."], "top_n": 1},
        "properties": {
            "query": {"type": "string"},
            "documents": {"type": "array", "minItems": 1, "items": {"oneOf": [{"type": "string"}, {
                "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}]}},
            "top_n": {"type": "integer", "minimum": 1, "description": "Most results; all when left out."},
            "return_documents": {"type": "boolean", "default": False},
        },
    }}},
}
"""The request body of ``POST /rerank`` in the words of OpenAPI."""


class DocumentBody(BaseModel):
    """A document as it was sent."""

    text: str


class RerankResult(RankedBody):
    """One document in its place."""

    document: DocumentBody | None = Field(None, description="The document, where return_documents was asked for.")


class RerankAnswer(BaseModel):
    """The answer of ``POST /rerank``."""

    model: str = Field(description="Name of the model that answered.")
    results: list[RerankResult] = Field(description="Documents, the best first.")
    truncated: bool = Field(description="True when a text was too long and the model did not see its end.")


class ModelBody(BaseModel):
    """One model that is ready."""

    name: str
    labels: list[str]
    problem_type: str
    pair: bool | None = Field(description="Whether each input is a pair of texts; null: one text or two.")


class ReadyAnswer(BaseModel):
    """The answer of ``GET /ready``."""

    status: str
    models: list[ModelBody]


class HealthAnswer(BaseModel):
    """The answer of ``GET /health``."""

    status: str
    models: Literal["loading", "ready", "stopping"] = Field(description="Whether requests are taken; see /ready.")


class ErrorAnswer(BaseModel):
    """Every error."""

    error: str = Field(description="What was wrong, where, and what to do.")
    error_type: str = Field(description="A word to branch on.")


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of the errors that a route can answer with."""
    told = {
        400: "The body is not UTF-8 JSON",
        408: "The body did not arrive in time",
        413: "Over a limit of bytes, inputs or characters",
        415: "The body is compressed",
        422: "The JSON has another form than the one asked for",
        429: "The queue is full; see Retry-After",
        500: "The model failed",
        503: "Not ready, stopping, or no answer within the time limit; see Retry-After",
    }
    return {status: {"model": ErrorAnswer, "description": told[status]} for status in statuses}
