"""Sentences that are said in two languages."""

from __future__ import annotations

from typing import Self


class Said(str):
    """A sentence in English that carries its Chinese: terminals and files hold the one, the report shows both."""

    chinese: str

    def __new__(cls, english: str, chinese: str) -> Self:
        """Return the English sentence with the Chinese one beside it."""
        made = super().__new__(cls, english)
        made.chinese = chinese
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Return what a pickle or a copy is made from."""
        return type(self), (str(self), self.chinese)
