"""How much of a right answer a given one is: the scores of SQuAD for English, those of CMRC 2018 for Chinese.

SQuAD's are those of ``evaluate-v2.0.py`` (Rajpurkar et al., 2018), which for rows with an answer are those of version
1.1: texts are compared in lower case, without punctuation, the articles a, an and the, and further white space; F1
counts the words that both have. CMRC's (Cui et al., "A Span-Extraction Dataset for Chinese Machine Reading
Comprehension", 2019) leave punctuation out and compare the longest stretch that both share: of Chinese characters, and
of the words between them. Its script cuts those words with NLTK; here they are runs of letters and digits.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from luthier.text import dominant_language

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHINESE_MARKS = frozenset(["-", ":", "_", "*", "^", "/", "\\", "~", "`", "+", "=", "，", "。", "：", "？", "！", "“",
                            "”", "；", "’", "《", "》", "……", "·", "、", "「", "」", "（", "）", "－", "～",
                            "『", "』"])
"""As the script lists them; those of several characters never meet one."""
_HAN = re.compile("[\u4e00-\u9fa5]")
_WORDS = re.compile(r"\w+|[^\w\s]")
_CHINESE_SHARE = 0.5
"""Share of Chinese characters among the words of a context from which its answers are compared as Chinese."""

Score = tuple[float, float]
"""Whether the texts agree, 1.0 or 0.0, and their F1 in [0, 1]."""


def is_chinese(context: str) -> bool:
    """Return whether answers from this context are compared by their characters."""
    return dominant_language([context]).shares["han"] >= _CHINESE_SHARE


def score_answer(given: str, right: Sequence[str], *, chinese: bool) -> Score:
    """Return the best scores of an answer over all right ones, as the official scripts do.

    Args:
        given: the answer; empty for none.
        right: the right answers; none when there is no answer, and then only an empty one is right.
        chinese: whether characters are compared, and not words.
    """
    parts = _characters if chinese else _words
    wanted = [text for text in right if parts(text)] or [""]
    scores = [_one(given, text, parts, chinese=chinese) for text in wanted]
    return max(exact for exact, _ in scores), max(f1 for _, f1 in scores)


def normal_english(text: str) -> str:
    """Return the text as SQuAD's script compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _words(text: str) -> list[str]:
    return normal_english(text).split()


def _characters(text: str) -> list[str]:
    """Return Chinese characters one by one and other words whole, without punctuation."""
    found, rest = [], ""
    for character in text.lower().strip():
        if character in _CHINESE_MARKS:
            continue
        if _HAN.match(character):
            found += [*_WORDS.findall(rest), character]
            rest = ""
        else:
            rest += character
    return found + _WORDS.findall(rest)


def _one(given: str, right: str, parts: Callable[[str], list[str]], *, chinese: bool) -> Score:
    one, other = parts(given), parts(right)
    if chinese:
        exact = float(_bare(given) == _bare(right))
        shared = _longest_shared(one, other)
    else:
        exact = float(one == other)
        shared = sum((Counter(one) & Counter(other)).values())
    if not one or not other:
        return exact, float(one == other)
    return exact, 2 * shared / (len(one) + len(other))


def _bare(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CHINESE_MARKS)


def _longest_shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest stretch that stands in both."""
    best, before = 0, [0] * (len(other) + 1)
    for left in one:
        row = [0] * (len(other) + 1)
        for place, right in enumerate(other, start=1):
            if left == right:
                row[place] = before[place - 1] + 1
                best = max(best, row[place])
        before = row
    return best
