"""Which encoders and their heads are computed without transformers, and how their weights are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from luthier.schema import EMBEDDING, ProblemType

_PREFIXES = {"bert": "bert.", "roberta": "roberta.", "xlm-roberta": "roberta.", "camembert": "roberta."}
"""Model type -> what the names of its encoder's weights begin with."""
CAUSAL = ("ForCausalLM", "LMHeadModel")
"""What the names of causal language models end with; the second is GPT-2's and its kin's."""
GELU = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
"""``hidden_act`` -> how torch calls it."""


def config_of(model: Any) -> dict[str, Any]:
    """Return the configuration of a transformers model in memory, as ``config.json`` would hold it."""
    return {**model.config.to_dict(), "architectures": [type(model).__name__]}


def unsupported(config: Mapping[str, Any]) -> str | None:
    """Return why a model of this configuration is not written out; ``None`` when it is."""
    kind, activation = config.get("model_type"), config.get("hidden_act", "gelu")
    if kind not in _PREFIXES:
        return f"models of type {kind!r} are not written out"
    if not (every_token(config) or _has_head(config, "SequenceClassification")):
        return "it classifies neither texts nor tokens, finds no answers and embeds nothing"
    if activation not in GELU:
        return f"its activation is {activation!r}"
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        return "its positions or its attention are of another kind"
    return None


def per_token(config: Mapping[str, Any]) -> bool:
    """Return whether a model of this configuration gives logits for each token, not for the text."""
    return finds_answers(config) or _has_head(config, "TokenClassification")


def every_token(config: Mapping[str, Any]) -> bool:
    """Return whether what a model of this configuration gives is made of every token, not of the first alone."""
    return per_token(config) or embeds(config)


def problem_of(config: Mapping[str, Any]) -> ProblemType | None:
    """Return what a model of this configuration does, if anything else than to classify texts."""
    if writes(config):
        return "text_generation"
    if any(_has_head(config, head) for head in CAUSAL):
        return "dialogue"
    if _has_head(config, "ForMaskedLM"):
        return "masked_language_modelling"
    if finds_answers(config):
        return "question_answering"
    if embeds(config):
        return "similarity"
    return "token_classification" if _has_head(config, "TokenClassification") else None


def writes(config: Mapping[str, Any]) -> bool:
    """Return whether a model of this configuration is an encoder-decoder that writes texts."""
    return bool(config.get("is_encoder_decoder")) and (
        _has_head(config, "ForConditionalGeneration") or _has_head(config, "MTModel"))


def embeds(config: Mapping[str, Any]) -> bool:
    """Return whether a model of this configuration gives texts vectors: an encoder without a head, saved as such."""
    return _has_head(config, "Model") and list((config.get("id2label") or {}).values()) == [EMBEDDING]


def finds_answers(config: Mapping[str, Any]) -> bool:
    """Return whether a model of this configuration gives each token a logit to start and one to end an answer."""
    return _has_head(config, "QuestionAnswering")


def _has_head(config: Mapping[str, Any], head: str) -> bool:
    return any(str(name).endswith(head) for name in config.get("architectures") or ())


def places_follow_padding(config: Mapping[str, Any]) -> bool:
    """Tell whether a model numbers the places of a text's tokens by passing over padding, as RoBERTa does."""
    return config.get("model_type") in _PREFIXES and _PREFIXES[config["model_type"]] != "bert."


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a classifier's weights, without ``.weight`` and ``.bias``."""

    prefix: str
    """Of the encoder, such as ``bert.``."""
    embeddings: str
    """What the names of the embeddings begin with."""
    head: tuple[str, ...]
    """The dense layer that reads the first token, and the outputs; the outputs alone where each token has some; none
    where texts get vectors."""
    skipped_positions: int
    """Rows of the position table before that of a text's first token."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Names:
        """Return the names of a configuration that is supported."""
        prefix = _PREFIXES[config["model_type"]]
        bert = prefix == "bert."
        # RoBERTa counts positions from the padding token's number on.
        skipped = 0 if bert else int(config.get("pad_token_id", 1)) + 1
        if embeds(config):
            return cls("", "embeddings.", (), skipped)
        of_text = ("bert.pooler.dense", "classifier") if bert else ("classifier.dense", "classifier.out_proj")
        of_tokens = ("qa_outputs",) if finds_answers(config) else ("classifier",)
        head = of_tokens if per_token(config) else of_text
        return cls(prefix, f"{prefix}embeddings.", head, skipped)

    def layer(self, number: int) -> dict[str, tuple[str, ...]]:
        """Return the names of one layer's parts; ``mixed`` is queries, keys and values, one below the other."""
        name = f"{self.prefix}encoder.layer.{number}."
        return {
            "mixed": tuple(f"{name}attention.self.{part}" for part in ("query", "key", "value")),
            "output": (f"{name}attention.output.dense",), "norm": (f"{name}attention.output.LayerNorm",),
            "up": (f"{name}intermediate.dense",), "down": (f"{name}output.dense",),
            "last": (f"{name}output.LayerNorm",),
        }
