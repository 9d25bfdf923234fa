"""How a model's words are chosen when it writes: the fields of transformers' ``GenerationConfig`` that we keep to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from luthier.recipe.settings import Settings

StopString = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)]


class Decoding(Settings):
    """How a text is written, word by word; names and meanings are those of transformers."""

    max_new_tokens: int = Field(128, ge=1, le=32_768)
    """Most tokens written, the one that ends the text included."""
    min_new_tokens: int = Field(0, ge=0)
    """Tokens before which the model may not end the text; a stop string still does."""
    num_beams: int = Field(1, ge=1, le=64)
    """Texts kept side by side, of which the likeliest is given; 1 takes the likeliest token each time."""
    length_penalty: float = Field(1.0, ge=-10, le=10)
    """Power of the length by which a beam's log probability is divided: above 0 favours long texts."""
    early_stopping: bool | Literal["never"] = False
    """Whether to stop with the first ``num_beams`` ended texts; if not, once better ones are unlikely, or, with
    ``never``, impossible."""
    do_sample: bool = False
    """Draw each token by its probability, and not always the likeliest."""
    temperature: float = Field(1.0, ge=0.01, le=100)
    """What logits are divided by before a draw: below 1 sharpens, above 1 flattens."""
    top_k: int = Field(50, ge=0)
    """Likeliest tokens that are drawn from; 0 for all."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Draw from the fewest likeliest tokens that have this probability together."""
    repetition_penalty: float = Field(1.0, gt=0)
    """What logits of tokens already there are divided by (multiplied where negative); above 1 avoids repetition."""
    no_repeat_ngram_size: int = Field(0, ge=0)
    """Length of the runs of tokens that may stand only once; 0 for no rule."""
    stop_strings: tuple[StopString, ...] = ()
    """Texts that end what is written; they and what follows are cut."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of the draws; each row draws its own."""

    @model_validator(mode="after")
    def _agree(self) -> Decoding:
        if self.num_beams > 1 and self.do_sample:
            raise ValueError("num_beams above 1 and do_sample=true exclude each other: set num_beams=1 to draw tokens, "
                             "or do_sample=false to search with beams")
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(f"min_new_tokens={self.min_new_tokens} is more than "
                             f"max_new_tokens={self.max_new_tokens}: lower the one or raise the other")
        self._without_effect(("temperature", "top_k", "top_p"), self.do_sample, "do_sample=true")
        self._without_effect(("length_penalty", "early_stopping"), self.num_beams > 1, "num_beams above 1")
        return self

    def _without_effect(self, names: tuple[str, ...], used: bool, needed: str) -> None:
        changed = [name for name in names if getattr(self, name) != type(self).model_fields[name].default]
        if changed and not used:
            raise ValueError(f"{' and '.join(changed)} count only with {needed}: set that, or leave them out")
