"""The settings classes: what a recipe may say, with defaults and limits."""

from __future__ import annotations

import hashlib
import os
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

MEMORY = "memory"
"""What ``data.train`` says of rows that never stood in a file; no command can read those again."""

NEW_MODEL = "new-seq2seq"
"""What ``model.name`` says of an encoder-decoder that is made from nothing."""

AUTO = "auto"
"""What ``task.name`` says of a task that the data tell."""


class Settings(BaseModel):
    """What every settings class shares: frozen, unknown keys refused, no silent casts of text to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), str_strip_whitespace=True,
                              allow_inf_nan=False)


class DataSettings(Settings):
    """Which files, and what stands where in them; what is left out is inferred and said."""

    train: str
    """File with labelled rows; split three ways unless valid and test are given."""
    valid: str | None = None
    """File for choosing the best step."""
    test: str | None = None
    """File for the final scores."""
    text: str | None = None
    """Column with the text."""
    text_b: str | None = None
    """Column with the second text of a pair."""
    label: str | None = None
    """Column with the label or labels."""
    label_separator: Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)] | None = None
    """What stands between several labels in one cell; makes the task multi-label."""
    level_separator: Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)] | None = None
    """What stands between the levels of a label, such as ``/``; told from the labels when left out, and ``none`` says
    that they have no levels."""
    labels: dict[str, str] = Field(default_factory=dict)
    """All labels or types -> what each means, which the bundle keeps; rows with any other are refused."""
    encoding: str | None = None
    """Text encoding; found out from the bytes when left out."""
    max_bad_rows: int = Field(100, ge=0)
    """Unreadable rows tolerated before the run stops."""

    @field_validator("train", "valid", "test")
    @classmethod
    def _own_home(cls, value: str | None) -> str | None:
        """Take ``~`` for the home directory, as a shell does."""
        return value if value is None else os.path.expanduser(value)


class PrepareSettings(Settings):
    """How rows are cleaned and split."""

    normalize: Literal["nfc", "nfkc", "none"] = "nfc"
    """Unicode form given to every text, at prediction too; each but ``none`` also trims white space."""
    deduplicate: bool = True
    """Drop exact duplicates, contradictions and rows that would stand in two splits; they are counted either way."""
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    """Shares of train, valid and test when no files are given for them."""
    max_rows: int | None = Field(None, ge=10)
    """Use a stratified sample of this many rows."""

    @field_validator("split")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if any(share <= 0 for share in value) or abs(sum(value) - 1) > 1e-6:
            raise ValueError("needs three shares above 0 that sum to 1, such as [0.6, 0.2, 0.2]")
        return value


class NewModelSettings(Settings):
    """Sizes of an encoder-decoder that is made from nothing."""

    vocab_size: int = Field(8000, ge=300)
    """Most entries of the vocabulary, which is learned on the training rows."""
    width: int = Field(256, ge=16)
    """Of the hidden states, a multiple of ``heads``."""
    layers: int = Field(3, ge=1)
    """Of the encoder, and of the decoder."""
    heads: int = Field(4, ge=1)
    """Of attention."""
    feed_forward: int = Field(1024, ge=16)
    """Inner width of the layers."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Rate of dropout; ``model.dropout`` goes before it."""
    max_length: int = Field(256, ge=8)
    """Most tokens of a text that it reads."""

    @model_validator(mode="after")
    def _divisible(self) -> NewModelSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}: change either")
        return self


class ModelSettings(Settings):
    """The pretrained model."""

    name: str = "auto"
    """Packaged name, hub id or directory; ``auto`` chooses by the language of the text; ``new-seq2seq`` makes an
    encoder-decoder from nothing, in the sizes of ``new``."""
    new: NewModelSettings | None = None
    """Sizes of ``new-seq2seq``, where they are not the usual ones."""
    max_length: int | None = Field(None, ge=8)
    """Most tokens of one text, special ones included. When left out the model's own limit, or, where that is more than
    1,024, what the training rows need."""
    long_texts: Literal["windows", "cut"] | None = None
    """What becomes of a text of more than ``max_length`` tokens: it is read in windows, or it loses its end. When left
    out, windows, except where one text has one vector or another text is written for it."""
    overlap: int | None = Field(None, ge=0)
    """Tokens that neighbouring windows of a long text share; a quarter of ``max_length`` when left out."""
    max_train_windows: int = Field(8, ge=1)
    """Most windows of one text that are learned from where a text has one answer: the first, the last and some evenly
    between. All are read when the text is answered."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Dropout of hidden layers; the model's own when left out."""
    attention_dropout: float | None = Field(0.0, ge=0, lt=1)
    """Dropout of attention weights; 0 trains long texts faster (docs/log.md), ``null`` takes the model's own."""

    @model_validator(mode="after")
    def _cut_without_overlap(self) -> ModelSettings:
        if self.long_texts == "cut" and self.overlap is not None:
            raise ValueError("overlap is what windows share, and long_texts is cut: leave one of the two out")
        return self

    @model_validator(mode="after")
    def _new_alone(self) -> ModelSettings:
        if self.new is not None and self.name != NEW_MODEL:
            raise ValueError(f"new gives the sizes of a model made from nothing, and name is {self.name!r}: "
                             f"set name to {NEW_MODEL}, or leave new out")
        return self


class TrainSettings(Settings):
    """The optimisation."""

    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate; the method's default when left out."""
    head_learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate of the new head; the task's own when left out, else that of the rest."""
    num_train_epochs: int | None = Field(None, ge=1)
    """Passes over the training rows; 3 when left out, and up to 20 where the rows are so few that 3 teach nothing."""
    per_device_train_batch_size: int = Field(32, ge=1)
    """Rows of one backward pass."""
    gradient_accumulation_steps: int = Field(1, ge=1)
    """Batches added up before each optimiser step."""
    max_tokens_per_batch: int = Field(4096, ge=64)
    """Padded tokens computed at once; a larger batch is computed in parts with the same gradient."""
    warmup_ratio: float = Field(0.1, ge=0, lt=1)
    """Share of the steps during which the learning rate rises from 0."""
    lr_scheduler_type: Literal["linear", "cosine"] = "linear"
    """How the learning rate falls to 0 after warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW weight decay, not applied to biases and norms."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    label_smoothing_factor: float = Field(0.0, ge=0, lt=1)
    """Share of the target spread over all labels; refused by tasks that have none to spread it over."""
    class_weights: Literal["auto", "none"] | dict[str, float] = "auto"
    """Loss weight of each label; ``auto`` balances them once the commonest has 3 times the rows of the rarest."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the matrix products; ``auto`` takes bf16 where the machine gains from it."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def _label_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if any(isinstance(key, bool) for key in value):
            raise ValueError("YAML reads a bare yes, no, on, off, true or false as a truth value: put quotes around it")
        return {str(key) if isinstance(key, int) else key: weight for key, weight in value.items()}


class ValidationSettings(Settings):
    """When to validate, what to keep, when to stop."""

    metric_for_best_model: str | None = None
    """Validation metric by which the best step is chosen; the task's own when left out."""
    eval_steps: int | None = Field(None, ge=1)
    """Optimiser steps between validations; once an epoch when left out."""
    early_stopping_patience: int | None = Field(3, ge=1)
    """Validations without a better metric, or a clearly lower loss at the same one, before the run stops, once the
    metric is above 0; ``null`` never stops early."""
    save_steps: int | None = Field(None, ge=1)
    """Optimiser steps between checkpoints; with each validation when left out."""
    save_total_limit: int = Field(2, ge=1)
    """Checkpoints kept."""


class EvaluationSettings(Settings):
    """What the report holds."""

    bootstrap: int = Field(1000, ge=100, le=100_000)
    """Resamples of the test rows behind each confidence interval."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Coverage of the intervals."""
    baseline: bool = True
    """Score a simple system beside the model: TF-IDF with logistic regression, or a dictionary of the entities."""
    untuned: bool = True
    """Score the model as it was before tuning."""
    max_errors: int = Field(20, ge=0)
    """Most confident errors shown with their texts."""
    candidates: int = Field(50, ge=0)
    """Where passages are ordered: so many that TF-IDF finds for each query; 0 for the row's own, right and wrong."""


class Recipe(Settings):
    """Everything that decides a run; the same recipe on the same machine gives the same weights."""

    format: Literal[1] = 1
    """Version of this file's layout."""
    data: DataSettings
    prepare: PrepareSettings = PrepareSettings()
    task: dict[str, Any] = {"name": AUTO}
    """A task's name and its own settings; ``auto`` tells the task from the data."""
    model: ModelSettings = ModelSettings()
    method: dict[str, Any] = {"name": "full"}
    """A tuning method's name and its own settings."""
    train: TrainSettings = TrainSettings()
    validation: ValidationSettings = ValidationSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: int = Field(42, ge=0, lt=2**32)
    """The one seed; each use spawns its own from it."""
    threads: int | None = Field(None, ge=1, le=1024)
    """CPU threads; all cores when left out."""
    offline: bool = False
    """Never ask a model hub."""
    report_to: tuple[str, ...] = ()
    """Trackers that get every event: tensorboard, mlflow, wandb; one name or several."""
    out: str
    """Directory of the finished bundle."""

    @field_validator("report_to", mode="before")
    @classmethod
    def _one_alone(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("out")
    @classmethod
    def _own_home(cls, value: str) -> str:
        """Take ``~`` for the home directory, as a shell does."""
        return os.path.expanduser(value)

    def override(self, **changes: Any) -> Recipe:
        """Return a copy with whole top-level entries replaced."""
        return self.model_copy(update=changes)


def spawn(seed: int, use: str) -> int:
    """Return the seed of one use of the recipe's seed, so that no two uses share their random numbers.

    Args:
        seed: the recipe's.
        use: ``split``, ``head``, ``adapter``, ``order``, ``dropout``, ``baseline``, ``bootstrap``, or any other word.

    Returns:
        Below 2**32; the same for the same seed and use, for ever.
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {use}".encode()).digest()[:4], "big")
