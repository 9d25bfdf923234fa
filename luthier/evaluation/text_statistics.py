"""What texts score against texts: counts of each row whose sums give BLEU and chrF, and ROUGE of each row.

BLEU (Papineni et al., 2002) and chrF (Popović, 2015) are scores of a whole collection: no mean over rows gives them.
sacrebleu (Post, 2018) counts; the formulas here turn the sums of any draw of rows into the scores that it gives for
them. ROUGE (Lin, 2004) is a mean over rows, counted by rouge-score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from luthier.evaluation.outcomes import Array
from luthier.plugins import require
from luthier.schema import Int64
from luthier.text import dominant_language, sentences
from luthier.text.language import HAN, KANA

Targets = Sequence[tuple[str, ...]]
"""Of each of N rows the texts that are right, one at least."""

ROUGES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

_BLEU_ORDER, _CHRF_ORDER, _CHRF_BETA = 4, 6, 2
_CHINESE_SHARE = 0.5
"""Share of Chinese characters among the words of the targets from which BLEU counts characters."""
_WORDS = re.compile(rf"[{HAN}{KANA}]|[^\W_{HAN}{KANA}]+")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How texts are cut into words, told from the targets and the same for all systems."""

    bleu: str
    """The name of sacrebleu's tokenizer."""
    english: bool
    """Whether rouge-score's own cutting serves, which knows ASCII letters and digits only."""


def spelling_of(targets: Targets) -> Spelling:
    """Return how texts in the language of the targets are cut."""
    language = dominant_language(text for texts in targets for text in texts)
    return Spelling("zh" if language.shares["han"] >= _CHINESE_SHARE else "13a", language.code == "en")


def bleu_counts(given: Sequence[str], targets: Targets, tokenizer: str) -> Int64:
    """Return (N, 10) int64: tokens given, tokens of the target nearest in length, then of runs of 1 to 4 tokens those
    that stand in a target too, and all.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    require("sacrebleu")
    from sacrebleu.metrics import BLEU

    # `force`: no warnings about texts that end in " .".
    return _counted(BLEU(tokenize=tokenizer, force=True), given, targets, 2 + 2 * _BLEU_ORDER)


def chrf_counts(given: Sequence[str], targets: Targets) -> Int64:
    """Return (N, 18) int64: of runs of 1 to 6 characters those given, those of the best target, and those in both.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    require("sacrebleu")
    from sacrebleu.metrics import CHRF

    return _counted(CHRF(char_order=_CHRF_ORDER, beta=_CHRF_BETA), given, targets, 3 * _CHRF_ORDER)


def _counted(metric: Any, given: Sequence[str], targets: Targets, columns: int) -> Int64:
    """Return the counts that sacrebleu's own tests of significance start from."""
    most = max(map(len, targets), default=0)
    # One list for each place, as sacrebleu wants them; rows with fewer targets have None there.
    places = [[texts[place] if place < len(texts) else None for texts in targets] for place in range(most)]
    rows = metric._extract_corpus_statistics(list(given), places) if given else []
    return np.asarray(rows, np.int64).reshape(len(given), columns)


def bleu(sums: Array) -> Array:
    """Return the BLEU in [0, 1] of R collections, (R,), from the sums of ``bleu_counts``, (R, 10).

    As sacrebleu: where runs of one length have no match, half a match is counted, a quarter for the next such length,
    and so on; nothing is added where no word matches at all.
    """
    length, wanted = sums[:, 0], sums[:, 1]
    matches, runs = sums[:, 2:2 + _BLEU_ORDER], sums[:, 2 + _BLEU_ORDER:]
    unmatched = (matches == 0).cumsum(axis=1)
    counted = np.where(matches > 0, matches, 0.5**unmatched)
    shares = np.log(counted) - np.log(np.maximum(runs, 1))
    brevity = np.minimum(0.0, 1 - wanted / np.maximum(length, 1))
    scored = matches.any(axis=1) & runs.all(axis=1)
    return np.where(scored, np.exp(brevity + shares.mean(axis=1)), 0.0)


def chrf(sums: Array) -> Array:
    """Return the chrF in [0, 1] of R collections, (R,), from the sums of ``chrf_counts``, (R, 18).

    Precision and recall are means over the lengths of which both sides have runs; recall counts four times.
    """
    given, wanted, both = (sums[:, side::3] for side in range(3))
    lengths = (given > 0) & (wanted > 0)
    number = np.maximum(lengths.sum(axis=1), 1)
    precision, recall = ((np.where(lengths, both, 0) / np.maximum(side, 1)).sum(axis=1) / number
                         for side in (given, wanted))
    weight = _CHRF_BETA**2
    total = weight * precision + recall
    return np.where(total > 0, (1 + weight) * precision * recall / np.where(total > 0, total, 1), 0.0)


def rouge(given: Sequence[str], targets: Targets, *, english: bool) -> dict[str, Array]:
    """Return the F1 of ROUGE-1, -2, -L and -Lsum of each row, (N,) float64 in [0, 1]; of several targets the best.

    ROUGE-Lsum is ROUGE-L a sentence at a time, as summaries of several are scored; sentences are found here.

    Args:
        given: N texts.
        targets: the right ones of each row.
        english: whether words are ASCII letters and digits, as rouge-score cuts them; else they are letters and digits
            of any script, and each Chinese character or kana is one. Nothing is stemmed.

    Raises:
        MissingExtraError: rouge-score is not installed.
    """
    require("rouge_score")
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(ROUGES, tokenizer=None if english else _EveryScript())
    scores = [scorer.score_multi([_by_sentences(one) for one in texts], _by_sentences(text))
              for text, texts in zip(given, targets, strict=True)]
    return {name: np.array([row[name].fmeasure for row in scores], np.float64) for name in ROUGES}


def _by_sentences(text: str) -> str:
    """Return a text with a line for each sentence; all but ROUGE-Lsum see the same words."""
    return "\n".join(text[start:end] for start, end in sentences(text))


class _EveryScript:
    """A tokenizer as rouge-score takes it."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text in lower case, without punctuation."""
        return _WORDS.findall(text.lower())
