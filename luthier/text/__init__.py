"""Text: one normal form and where it came from, near-equality, words, marks, and the language that prevails."""

from luthier.text.align import Aligned, aligned
from luthier.text.language import Language, dominant_language
from luthier.text.marks import Written, check_marked, marked, written
from luthier.text.normalize import blank, loose_key, normalize
from luthier.text.said import Said
from luthier.text.sentences import sentence_ends, sentences
from luthier.text.words import units

__all__ = ["Aligned", "Language", "Said", "Written", "aligned", "blank", "check_marked", "dominant_language",
           "loose_key", "marked", "normalize", "sentence_ends", "sentences", "units", "written"]
