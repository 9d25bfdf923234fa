"""Conversations: turns of a system, a user and an assistant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says at a time."""

    role: Role
    content: str
    learned: bool = True
    """Whether an answer is learned from; as context it is read in any case."""

    @property
    def message(self) -> dict[str, str]:
        """Return the turn as chat templates and JSON have it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation(Sequence[str]):
    """Turns in their order; as a sequence, what is said in each."""

    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """Return it as a text for people: what is said where one user says it, else with the roles."""
        if len(self.turns) == 1 and self.turns[0].role == "user":
            return self.turns[0].content
        return "\n\n".join(f"{turn.role}: {turn.content}" for turn in self.turns)

    @property
    def messages(self) -> list[dict[str, str]]:
        """Return the turns as chat templates and JSON have them."""
        return [turn.message for turn in self.turns]

    def answered(self, answer: str) -> Conversation:
        """Return the conversation with one more turn of the assistant."""
        return Conversation((*self.turns, Turn("assistant", answer)))

    def __len__(self) -> int:
        """Return the number of turns."""
        return len(self.turns)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        """Return what is said in a turn, or in several."""
        if isinstance(place, slice):
            return [turn.content for turn in self.turns[place]]
        return self.turns[place].content
