"""A small encoder-decoder made from nothing: a vocabulary learned on given texts, and random weights.

For languages, notations and machines for which no pretrained one is at hand. It knows nothing but what the training
rows teach it. The layout is Pegasus's (Zhang et al., arXiv:1912.08777): norms before each layer, and positions as
sines, so that none has to be learned; the weights begin as wide as 1 / sqrt(width), without which a small model takes
far longer until it looks at its source (docs/log.md). The vocabulary is of bytes that stand together often (Sennrich
et al., arXiv:1508.07909): no character is ever lost.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from luthier import plugins
from luthier.errors import ModelError
from luthier.models._tokenizer_files import write_tokenizer
from luthier.models.building import quiet
from luthier.models.files import ModelFiles, cache_directory, weights_sha256
from luthier.models.kept import forget_directories, remove, used
from luthier.recipe import NEW_MODEL, NewModelSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

KEPT_BYTES = 2**30
"""Of models made from nothing; those used longest ago go first."""
_WEIGHTS = "model.safetensors"
PAD, END = "<pad>", "</s>"
"""Special tokens, in the order of their ids, 0 and 1; the first stands before every text that is written, too."""

NEW = "new"
"""What stands in place of a model source."""

_VERSION = 1
"""Raised when the same texts and settings give another model."""


def new_seq2seq(directory: Path, texts: Sequence[str], settings: NewModelSettings | None = None, *,
                seed: int = 0) -> Path:
    """Write a random-weight encoder-decoder: ``config.json``, ``model.safetensors`` and a tokenizer.

    Args:
        directory: where to write; made when missing.
        texts: sources and targets to learn the vocabulary on.
        settings: sizes; the defaults when left out.
        seed: of the weights.

    Returns:
        The directory, which opens as any other model's.
    """
    plugins.require("torch", "transformers")
    import torch
    from transformers import PegasusConfig, PegasusForConditionalGeneration

    sizes = settings or NewModelSettings()
    tokenizer = _tokenizer(texts, sizes.vocab_size)
    config = PegasusConfig(
        vocab_size=tokenizer.get_vocab_size(), d_model=sizes.width, encoder_layers=sizes.layers,
        decoder_layers=sizes.layers, encoder_attention_heads=sizes.heads, decoder_attention_heads=sizes.heads,
        encoder_ffn_dim=sizes.feed_forward, decoder_ffn_dim=sizes.feed_forward, dropout=sizes.dropout,
        max_position_embeddings=sizes.max_length, scale_embedding=True, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, forced_eos_token_id=None, init_std=sizes.width**-0.5)
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        PegasusForConditionalGeneration(config).save_pretrained(directory)
    write_tokenizer(directory, tokenizer, {"pad_token": PAD, "eos_token": END}, sizes.max_length)
    return directory


def made_new(texts: Sequence[str], settings: NewModelSettings, *, seed: int) -> ModelFiles:
    """Return a new model for these texts, from the cache if the same one was made before.

    Args:
        texts: sources and targets to learn the vocabulary on.
        settings: sizes.
        seed: of the weights.

    Raises:
        ModelError: the cache cannot be written to.
    """
    libraries = [version(name) for name in ("tokenizers", "torch", "transformers")]
    told = hashlib.sha256(repr((_VERSION, libraries, sorted(settings.model_dump().items()), seed)).encode())
    for text in texts:
        told.update(text.encode("utf-8", "surrogatepass") + b"\0")
    place = cache_directory() / "new" / told.hexdigest()[:32]
    used(place)
    if not (place / _WEIGHTS).is_file():
        try:
            _made(place, texts, settings, seed)
        except (OSError, SafetensorError) as error:
            if not (place / _WEIGHTS).is_file():  # else another process was faster, with the same model
                why = getattr(error, "strerror", None) or error
                raise ModelError(f"a new model cannot be written to {place.parent}: {why}",
                                 "free some space there, or set LUTHIER_CACHE to a directory that can be written"
                                 ) from error
    return ModelFiles(NEW_MODEL, NEW, place, None, None, weights_sha256(place))


def _made(place: Path, texts: Sequence[str], settings: NewModelSettings, seed: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(dir=place.parent, prefix=".partial-"))
    try:
        new_seq2seq(partial, texts, settings, seed=seed)
        if place.is_dir() and not (place / _WEIGHTS).is_file():
            remove(place)
        os.replace(partial, place)
        forget_directories(place, KEPT_BYTES)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _tokenizer(texts: Sequence[str], vocab_size: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[PAD, END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer, length=len(texts))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", pair=f"$A {END} $B {END}",
                                                             special_tokens=[(END, 1)])
    return tokenizer
