"""A text with the entities that were expected and those that were found, marked in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from luthier.evaluation.report.html import MINUS, both, count, esc, percent
from luthier.schema import Entity, Span

_BEFORE = 150
"""Characters shown before the first error of a text that is cut."""
_SIGNS = {"right": ("✓", "hit-chip"), "missed": (MINUS, "flag"), "extra": ("+", "miss-chip")}
"""Kind of span -> its sign and its chip: told apart by more than colour."""


def legend() -> str:
    """Return what the marks mean."""
    return (
        '<div class="legend">'
        + "".join(
            f'<span><b class="chip tag {css}">{sign}</b> <span class="key">{both(f"mark_{kind}")}</span></span>'
            for kind, (sign, css) in _SIGNS.items()
        )
        + "</div>"
    )


def marked(text: str, gold: Iterable[Span], found: Iterable[Entity], longest: int) -> str:
    """Return the text with every span marked and named behind its end, ready to stand in a page.

    Spans may overlap: the text is split wherever one begins or ends, and each piece carries all marks that hold there.

    Args:
        text: as it came.
        gold: the true spans, in characters of the text.
        found: the entities that were found.
        longest: characters shown; of a longer text those around its first error.
    """
    scores = {one.span: one.score for one in found}
    true = set(gold)
    kinds = {span: "right" if span in true and span in scores else "missed" if span in true else "extra"
             for span in sorted(true | set(scores))}
    begin, end = _window(text, (span for span, kind in kinds.items() if kind != "right"), longest)
    placed = [(max(span.start, begin), min(span.end, end), span, kind) for span, kind in kinds.items()]
    placed = [entry for entry in placed if entry[0] < entry[1]]
    cuts = sorted({begin, end, *(cut for first, last, *_ in placed for cut in (first, last))})
    parts = [f"<small>{both('chars_before', count=count(begin))}</small> " if begin else ""]
    for left, right in pairwise(cuts):
        here = sorted({kind for first, last, _, kind in placed if first <= left and right <= last})
        piece = esc(text[left:right])
        parts.append(f'<mark class="{" ".join(here)}">{piece}</mark>' if here else piece)
        parts += [signed_chip(span.label, kind, scores.get(span)) for _, last, span, kind in placed if last == right]
    if end < len(text):
        parts.append(f" <small>{both('more_chars', count=count(len(text) - end))}</small>")
    return "".join(parts)


def stretches(text: str, marks: Sequence[Span], longest: int) -> str:
    """Return the text with stretches marked, each named behind its end by its label, which is a key of words.

    Args:
        text: as it came.
        marks: may overlap.
        longest: characters shown; of a longer text those around the first stretch.
    """
    begin, end = _window(text, marks, longest)
    cuts = sorted({begin, end, *(min(max(cut, begin), end) for one in marks for cut in (one.start, one.end))})
    parts = [f"<small>{both('chars_before', count=count(begin))}</small> " if begin else ""]
    for left, right in pairwise(cuts):
        piece, inside = esc(text[left:right]), any(one.start <= left and right <= one.end for one in marks)
        parts.append(f'<mark class="right">{piece}</mark>' if inside else piece)
        parts += [f'<bdi class="chip tag">{both(one.label)}</bdi>' for one in marks if one.end == right]
    if end < len(text):
        parts.append(f" <small>{both('more_chars', count=count(len(text) - end))}</small>")
    return "".join(parts)


def signed_chip(label: str, kind: str, score: float | None) -> str:
    """Return a label that was found rightly (``right``), ``missed``, or found too much (``extra``, with its score)."""
    sign, css = _SIGNS[kind]
    sure = f" {percent(score)}" if kind == "extra" and score is not None else ""
    # The chip keeps its own direction inside texts that run from the right.
    return f'<bdi class="chip tag {css}">{sign} {esc(label)}{sure}</bdi>'


def _window(text: str, wrong: Iterable[Span], longest: int) -> tuple[int, int]:
    """Return the part of a text that is shown: all of it, or a stretch that begins shortly before its first error."""
    if len(text) <= longest:
        return 0, len(text)
    first = min((span.start for span in wrong), default=0)
    begin = min(max(0, first - _BEFORE), len(text) - longest)
    return begin, begin + longest
