"""The JSON forms of requests and routes, for the generated API description.

Checking is done in ``wire``, whose messages name the place; ``answers`` has what models say of one text.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from luthier.serving.answers import BODIES, RankedBody

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
