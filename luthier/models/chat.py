"""Conversations to token ids: through the model's chat template, cut to length at whole turns, and which tokens are
answers."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from luthier.errors import DataError
from luthier.models import _tokenizer_files as files
from luthier.models._control import runs, spelt_out
from luthier.models._offsets import valid
from luthier.models._ragged import Ragged
from luthier.models.chat_template import ChatTemplate, chosen, plain
from luthier.models.encoding import Encoder
from luthier.models.files import read_json
from luthier.schema import Batch, Conversation, Int64, TextInput, Turn
from luthier.text.conversations import normal
from luthier.text.normalize import Form
from luthier.text.prompts import shortened

if TYPE_CHECKING:
    from tokenizers import Tokenizer

USUAL = 1024
"""Most tokens of a conversation where the recipe leaves it open and the model has places for more."""

Source = Literal["model", "plain"]


@dataclass(frozen=True, slots=True)
class Learned:
    """N whole conversations as a model learns them."""

    ragged: Ragged
    """Their tokens; ``sequence`` is 1 at those of answers and their ends, else 0."""
    shortened: int
    """Conversations whose first turns were left out, or whose last question lost its end."""
    cut: int
    """Answers that lost their end."""
    passed_over: int
    """Earlier answers that the template writes otherwise once others follow, so that they are not learned."""


class ChatEncoder:
    """A tokenizer with a chat template and a length policy. Open one with ``ChatEncoder.load``."""

    overlap = None

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, template: ChatTemplate, *, room: int,
                 generation: dict[str, Any]) -> None:
        self._encoder, self._tokenizer = encoder, tokenizer
        self._generation = generation
        self._control = _specials(tokenizer)
        self.template = template
        self.max_length, self.normalize, self.pad_id = encoder.max_length, encoder.normalize, encoder.pad_id
        self.room = room
        """Most tokens of a prompt: what is written must fit behind it."""

    @classmethod
    def load(cls, directory: Path, *, max_length: int | None = None, normalize: Form = "nfc", new_tokens: int = 128,
             source: Source = "model", bare: bool = False) -> ChatEncoder:
        """Open the tokenizer and chat template of a model directory or bundle.

        Args:
            directory: holds ``tokenizer.json`` and ``tokenizer_config.json``.
            max_length: most tokens of a conversation with its answer; when left out 1,024, or as many as the model
                has places for.
            normalize: Unicode form given to what is said first; of what the assistant says NFC at most.
            new_tokens: most tokens of an answer, which are kept free behind a prompt, but no more than half.
            source: whose template: the model's own, where it has one, or ours.
            bare: for single prompts: ours leaves them as they are, and a model's own asks with what it puts before
                answers.

        Raises:
            ModelError: no readable tokenizer, a ``max_length`` that the model cannot take, or a template that cannot be
                used.
        """
        directory = Path(directory)
        length = max_length or min(USUAL, Encoder.load(directory).max_length)
        Encoder.load(directory, max_length=length)  # refuses what the model cannot take
        tokenizer = files.read_tokenizer(directory)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        config = files.read_tokenizer_config(directory)
        special = {name: str(config[name]) for name in files.SPECIAL_TOKENS if name in config}
        begins = tokenizer.token_to_id(special.get("bos_token", "")) in tokenizer.encode("").ids
        own = chosen(config.get("chat_template")) if source == "model" else None
        template = ChatTemplate.of(own or plain(special, begins=begins, bare=bare), special, _specials(tokenizer))
        template = template.led() if bare else template
        model = read_json(directory / "config.json")
        encoder = Encoder(tokenizer, max_length=length, normalize=normalize, uses_type_ids=False,
                          pad_id=files.pad_id(tokenizer, model, config),
                          tokenizer_config={**config, "chat_template": template.source})
        generation = read_json(directory / "generation_config.json")
        stored = generation.get("eos_token_id", model.get("eos_token_id"))
        generation["eos_token_id"] = _ends(tokenizer, template, stored)
        return cls(encoder, tokenizer, template, room=max(length - new_tokens, length // 2), generation=generation)

    @property
    def ends(self) -> tuple[int, ...]:
        """Return the ids that end an answer: the template's, and those that the model says."""
        return tuple(self._generation["eos_token_id"])

    def encode_ragged(self, texts: Sequence[TextInput], *, offsets: bool = False) -> Ragged:  # noqa: ARG002 - as Encoder's
        """Encode N conversations as prompts: what stands before an answer, up to what asks for one.

        Args:
            texts: N conversations; a text is what a user says.
            offsets: not used.

        Raises:
            DataError: the template refuses a conversation, or its system turn alone is too long.
        """
        rows, lost = list[list[int]](), list[bool]()
        for text in texts:
            turns, ids = self._prompt(as_conversation(text), len(rows))
            rows.append(ids)
            lost.append(len(turns) < len(_turns_of(text)) or self._shorter(turns, text))
        return Ragged(rows, None, np.array(lost, np.bool_))

    def learned(self, prompts: Sequence[TextInput], answers: Sequence[str]) -> Learned:
        """Encode N conversations with their answers, and tell which tokens are answers.

        Prompts are cut as they are when the model answers. The answer loses its end where it does not fit behind.

        Args:
            prompts: the turns before the last answers.
            answers: N texts.

        Raises:
            DataError: the template refuses a conversation; the message gives its number.
        """
        ids, marks, cuts = [], [], []
        shortened = passed = 0
        for row, (text, answer) in enumerate(zip(prompts, answers, strict=True)):
            prompt = as_conversation(text)
            turns, _ = self._prompt(prompt, row)
            shortened += turns != self._normal(prompt)
            whole = Conversation((*turns.turns, *self._normal(Conversation((Turn("assistant", answer),))).turns))
            tokens, answered, lost = self._marked(whole, row)
            passed += lost
            cuts.append(len(tokens) > self.max_length)
            ids.append(tokens[: self.max_length])
            marks.append(answered[: self.max_length])
        ragged = Ragged(ids, None, np.array(cuts, np.bool_), sequence=marks)
        return Learned(ragged, shortened, sum(cuts), passed)

    def written(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N answers as the model writes them, with the end of a turn.

        As many as fit behind any prompt.
        """
        most = self.max_length - self.room
        return [self.ids_of(self.template.lead + self.spelt(text) + self.template.end)[:most] for text in texts]

    def collate(self, ragged: Ragged, indices: Sequence[int] | Int64) -> Batch:
        """Pad B chosen rows on the right to the longest of them: ``ids (B, T) int64``, ``mask (B, T) bool``."""
        return self._encoder.collate(ragged, indices)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, without special tokens."""
        return self._encoder.text_of(ids)

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files with the template, and ``generation_config.json`` with what ends an answer."""
        self._encoder.save(directory)
        text = json.dumps(self._generation, indent=2, ensure_ascii=False) + "\n"
        (directory / "generation_config.json").write_text(text, encoding="utf-8")

    def spelt(self, text: str) -> str:
        """Return what somebody wrote as it goes into a template: the control tokens in it are letters to ``ids_of``."""
        return spelt_out(text, self._control)

    def ids_of(self, text: str) -> list[int]:
        """Return the token ids of a text that was rendered, special ones as they stand in it."""
        return self._tokens(text)[0]

    def _tokens(self, text: str) -> tuple[list[int], list[int]]:
        """Return the token ids of a rendered text, and at which of its characters each begins."""
        ids, starts = list[int](), list[int]()
        for place, run in runs(text):
            encoding = self._tokenizer.encode(run, add_special_tokens=False)
            ids += encoding.ids
            starts += [place + start for start, _ in encoding.offsets]
        return ids, starts

    def _normal(self, conversation: Conversation) -> Conversation:
        turns = normal(conversation, self.normalize).turns
        return Conversation(tuple(replace(turn, content=self.spelt(valid(turn.content))) for turn in turns))

    def _prompt(self, conversation: Conversation, row: int) -> tuple[Conversation, list[int]]:
        """Return as much of a conversation as there is room for: the system's turn, and the last ones.

        Whole turns go from the front, a question with its answer. The last question alone loses its end, if need be.
        """
        turns = self._normal(conversation).turns
        system, others = (turns[:1], turns[1:]) if turns and turns[0].role == "system" else ((), turns)
        asked = [place for place, turn in enumerate(others) if turn.role == "user" and place]
        begins = (0, *asked)

        def since(begin: int) -> tuple[Conversation, list[int]]:
            kept = Conversation((*system, *others[begin:]))
            return kept, self._rendered(kept, row)

        # Fewer turns are shorter, and thousands of them must not be rendered thousands of times.
        first = bisect_left(begins, True, key=lambda begin: len(since(begin)[1]) <= self.room)
        if first < len(begins):
            return since(begins[first])
        last = others[-1]

        def asking(content: str) -> tuple[Conversation, list[int]]:
            kept = Conversation((*system, Turn(last.role, content)))
            return kept, self._rendered(kept, row)

        kept, ids = asking(shortened(last.content, lambda content: len(asking(content)[1]) <= self.room))
        if len(ids) > self.room:
            raise DataError(f"the system's turn and the template have {len(ids)} tokens, and prompts have room for "
                            f"{self.room}", "shorten the system's turn, or set a larger model.max_length", row=row)
        return kept, ids

    def _rendered(self, conversation: Conversation, row: int) -> list[int]:
        return self.ids_of(self._text(conversation, row, answering=True))

    def _text(self, conversation: Conversation, row: int, *, answering: bool) -> str:
        try:
            return self.template.render(conversation, answering=answering)
        except DataError as error:
            raise error.at(row) from None

    def _marked(self, whole: Conversation, row: int) -> tuple[list[int], Int64, int]:
        """Return a conversation's tokens, 1 at those of answers, (T,) int64, and how many answers are passed over."""
        text = self._text(whole, row, answering=False)
        answers = [place for place, turn in enumerate(whole.turns) if turn.role == "assistant"]
        found = [self.template.answer_in(whole, place, text) for place in answers]
        if found[-1] is None:
            raise DataError("the chat template writes the answer down otherwise than it asks for one",
                            "leave the conversation out, or set task.chat_template=plain", row=row)
        text = text[: found[-1][1]]  # nothing behind the last end is learned or read
        ids, places = self._tokens(text)
        starts = np.array(places, np.int64)
        marks = np.zeros(len(starts), np.int64)
        for turn, place in zip(answers, found, strict=True):
            if place is not None and whole.turns[turn].learned:
                marks[(starts >= place[0]) & (starts < place[1])] = 1
        return ids, marks, sum(place is None for place in found)

    def _shorter(self, turns: Conversation, text: TextInput) -> bool:
        last = _turns_of(text)[-1]
        return turns.turns[-1].content != self._normal(Conversation((last,))).turns[0].content


def has_template(directory: Path) -> bool:
    """Return whether the model in a directory brings a chat template."""
    return bool(files.read_tokenizer_config(directory).get("chat_template"))


def as_conversation(text: TextInput) -> Conversation:
    """Return a conversation as it is, and a text as what a user says."""
    return text if isinstance(text, Conversation) else Conversation((Turn("user", str(text)),))


def _turns_of(text: TextInput) -> tuple[Turn, ...]:
    return as_conversation(text).turns


def _specials(tokenizer: Tokenizer) -> list[str]:
    return [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]


def _ends(tokenizer: Tokenizer, template: ChatTemplate, stored: Any) -> list[int]:
    own = tokenizer.encode(template.end, add_special_tokens=False).ids[-1]
    told = stored if isinstance(stored, list) else [stored]
    return list(dict.fromkeys([own, *(int(one) for one in told if isinstance(one, int))]))
