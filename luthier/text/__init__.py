"""Text: one normal form and where it came from, near-equality, words, and the language that prevails."""

from luthier.text.align import Aligned, aligned
from luthier.text.language import Language, dominant_language
from luthier.text.normalize import loose_key, normalize
from luthier.text.words import units

__all__ = ["Aligned", "Language", "aligned", "dominant_language", "loose_key", "normalize", "units"]
