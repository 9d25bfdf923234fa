"""The language that prevails, told by script: enough to choose a model, a tokeniser and a baseline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Chinese characters, as the inside of a ``[...]`` of a regular expression."""
KANA = "\u3041-\u30ff\uff66-\uff9f"
"""Hiragana and katakana, likewise."""
_HAN = re.compile(f"[{HAN}]")
_KANA = re.compile(f"[{KANA}]")
_LATIN_WORD = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_OTHER_WORD = re.compile(r"[^\W\d_A-Za-z\u00c0-\u024f\u1e00-\u1eff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
                         "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]+")

_READ = 500
"""Characters read of one text: its script rarely changes after that."""
_MAIN = 0.8
"""Share of the words from which a script prevails: Chinese reviews hold brand names, and English ones a loan word."""
_KANA_SHARE = 0.1
"""Share of kana among Han and kana from which the text is Japanese: ordinary Japanese has more than a third."""
_ACCENT_SHARE = 0.1
"""Share of Latin words with an accent from which the text is hardly English; French and German have about 0.2."""


@dataclass(frozen=True, slots=True)
class Language:
    """The language of a collection of texts."""

    code: Literal["zh", "en", "mixed", "other"]
    """``mixed`` is Chinese and English together; ``other`` is everything else, and text without letters."""
    shares: dict[str, float]
    """Script (``han``, ``latin``, ``kana``, ``other``) -> share of the words; one Han or kana character is a word."""


def dominant_language(texts: Iterable[str]) -> Language:
    """Count scripts over all texts and name the language that prevails.

    Latin script without many accents counts as English; scripts cannot tell more.
    """
    counts: Counter[str] = Counter(han=0, latin=0, kana=0, other=0)
    accented = 0
    for text in texts:
        start = text[:_READ]
        words = _LATIN_WORD.findall(start)
        counts["latin"] += len(words)
        if not start.isascii():
            accented += sum(1 for word in words if _ACCENTED.search(word))
            for script, pattern in (("han", _HAN), ("kana", _KANA), ("other", _OTHER_WORD)):
                counts[script] += len(pattern.findall(start))
    total = sum(counts.values()) or 1
    shares = {script: round(count / total, 4) for script, count in counts.items()}
    return Language(_code(counts, total, accented), shares)


def _code(counts: Counter[str], total: int, accented: int) -> Literal["zh", "en", "mixed", "other"]:
    japanese = counts["kana"] > _KANA_SHARE * (counts["kana"] + counts["han"])
    foreign = accented > _ACCENT_SHARE * counts["latin"]
    if counts["han"] >= _MAIN * total and not japanese:
        return "zh"
    if counts["latin"] >= _MAIN * total and not foreign:
        return "en" if counts["latin"] else "other"
    both = counts["han"] + counts["latin"] >= _MAIN * total
    return "mixed" if both and not japanese and not foreign else "other"
