"""Text: one normal form, near-equality, and the language that prevails."""

from luthier.text.language import Language, dominant_language
from luthier.text.normalize import loose_key, normalize

__all__ = ["Language", "dominant_language", "loose_key", "normalize"]
