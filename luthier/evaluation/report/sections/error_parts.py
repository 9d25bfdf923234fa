"""What errors of several kinds are shown with: meters, chips and texts."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.evaluation.report.html import both, count, esc, percent

LONGEST = 600
"""Characters shown of one text."""


def meter(share: float) -> str:
    """Return how sure a wrong answer was, in [0, 1], as a bar and in percent."""
    return f'<span class="meter"><i style="width:{percent(share)}"></i></span>{percent(share)}'


def said_and_true(said: Sequence[str], true: Sequence[str], nothing: str = "nothing") -> str:
    """Return what was said against what is right, each as chips; ``nothing`` is the key of what stands for none."""
    return (f"<span>{both('said')} {_chips(said, 'miss-chip', nothing)}</span>"
            f"<span>{both('truth')} {_chips(true, 'hit-chip', nothing)}</span>")


def quoted(*texts: str | None) -> str:
    """Return the texts that there are, each as a quotation."""
    return "".join(f"<blockquote>{shortened(text)}</blockquote>" for text in texts if text is not None)


def shortened(text: str) -> str:
    """Return a text safe to show, and of a long one its beginning and how much is left out."""
    if len(text) <= LONGEST:
        return esc(text)
    return f"{esc(text[:LONGEST])} <small>{both('more_chars', count=count(len(text) - LONGEST))}</small>"


def _chips(names: Sequence[str], css: str, nothing: str) -> str:
    if not names:
        return f'<span class="chip {css}">{both(nothing)}</span>'
    return " ".join(f'<span class="chip {css}">{esc(name)}</span>' for name in names)
