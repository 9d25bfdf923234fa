"""Give texts one form, so that what looks the same is the same.

The form chosen when a model is tuned travels in its bundle and is applied again at prediction.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Form = Literal["nfc", "nfkc", "none"]
"""Unicode form: composed; composed with compatibility characters folded (full-width to ASCII); or as it came."""

# Control characters but tab and newline, soft hyphen, Mongolian vowel separator, zero-width space, direction marks,
# word joiner and its invisible kin, byte order mark, interlinear annotation. The joiners U+200C and U+200D stay:
# Persian, Indic scripts and family emoji mean something else without them.
INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u180e\u200b\u200e\u200f"
                       "\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_WORD = re.compile(r"[\W_]+")
_SHOWS_NOTHING = frozenset(("Cc", "Cf", "Zl", "Zp", "Zs"))
"""Unicode categories of control, format and space characters."""


def normalize(text: str, form: Form = "nfc") -> str:
    """Return the text in its normal form; doing it twice changes nothing more.

    ``nfc`` and ``nfkc`` apply that Unicode form (UAX #15), write every line end as ``\\n``, drop the byte order mark,
    zero-width and control characters other than tab and newline, put U+FFFD for half a surrogate pair, and trim white
    space at both ends, the ideographic space U+3000 included. ``none`` returns the text unchanged.
    """
    if form == "none":
        return text
    if text.isascii() and text.isprintable():
        return text.strip()
    # Dropping comes before composing: a letter and its accent may meet only then.
    return unicodedata.normalize("NFC" if form == "nfc" else "NFKC", visible(text)).strip()


def blank(text: str) -> bool:
    """Return whether a text shows nothing: it is empty, or of spaces, control and format characters alone."""
    return all(unicodedata.category(char) in _SHOWS_NOTHING for char in text)


def visible(text: str) -> str:
    """Return a text with plain line ends, U+FFFD for half a surrogate pair, and without what nobody sees."""
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    return INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def loose_key(text: str) -> str:
    """Return what is left of a text without case, width, punctuation and spaces: equal keys mean nearly equal texts.

    Letters, digits and the marks on them count. A text that holds none (``"!!!"``, an emoji) is its own key.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        # Case folding can undo the normal form (U+0345); this is the Unicode standard's toNFKC_Casefold in short.
        folded = unicodedata.normalize("NFKC", folded)
    return _NOT_WORD.sub("", folded) or text
