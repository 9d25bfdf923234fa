"""Writing text with a model, token by token: our own loop over a transformers model and its key-value cache."""

from luthier.inference.generation.engine import generate
from luthier.inference.generation.values import Marks, Stop, Written
from luthier.recipe import Decoding

__all__ = ["Decoding", "Marks", "Stop", "Written", "generate"]
