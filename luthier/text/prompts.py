"""Prompts: a text that asks for something, with a place for the source."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from luthier.plugins import did_you_mean

SOURCE = "{source}"
"""Where the source stands."""
_PLACES = re.compile(r"\{[^\W\d]\w*\}")
"""A word in braces. All other braces are text, so that a prompt may hold JSON."""
_GUESS = 64
"""Characters tried first of a text that is too long; then twice as many each time, until they are too many."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template, taken apart at the place of the source."""

    before: str
    after: str

    @classmethod
    def of(cls, template: str) -> Prompt:
        """Take a template apart.

        Args:
            template: holds ``{source}`` once, and no other word in braces.

        Raises:
            ValueError: it does not; the message says what to write.
        """
        places = _PLACES.findall(template)
        others = [place for place in places if place != SOURCE]
        if others:
            raise ValueError(f"{others[0]} is no place of a prompt, {did_you_mean(others[0][1:-1], ['source'])}; the "
                             f"one there is is {SOURCE}, and words of your own stand without braces")
        if len(places) != 1:
            raise ValueError(f"a prompt holds {SOURCE} once, where the text goes, and this one holds it "
                             f"{len(places)} times, such as 'Translate to German:\\n{SOURCE}\\n'")
        before, _, after = template.partition(SOURCE)
        return cls(before, after)

    def around(self, source: str) -> str:
        """Return the prompt with a source in its place; braces within the source are text."""
        return self.before + source + self.after


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """Return about as much of the beginning of a text as fits, without white space at its end.

    Args:
        text: too long.
        fits: says whether so much does; is asked for texts of a few times the length that fits, and no longer.
    """
    low, high = 0, _GUESS
    while high < len(text) and fits(text[:high].rstrip()):
        low, high = high, 2 * high
    high = min(high, len(text))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle].rstrip()) else (low, middle)
    return text[:low].rstrip()
