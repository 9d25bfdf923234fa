"""Texts within a prompt, to token ids: for encoder-decoders, and for decoders alone, which go on with it.

What is too long loses the end of the text, never a word of the prompt or the place of what shall be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from luthier.errors import DataError, ModelError
from luthier.models._offsets import valid
from luthier.models._ragged import Ragged
from luthier.models.chat import ChatEncoder, Learned, Source
from luthier.models.encoding import Encoder
from luthier.schema import Batch, Conversation, Int64, TextInput, Turn
from luthier.text import normalize
from luthier.text.normalize import Form
from luthier.text.prompts import Prompt, shortened

LEAST = 8
"""Tokens that a prompt must leave for the text itself."""


class PromptedEncoder:
    """An encoder-decoder's tokenizer that puts each text into a prompt, such as ``summarize: {source}``."""

    overlap = None

    def __init__(self, encoder: Encoder, prompt: Prompt) -> None:
        """Check the prompt's length.

        Raises:
            ModelError: it leaves no room for a text.
        """
        self._encoder, self.prompt = encoder, prompt
        self.max_length, self.normalize, self.pad_id = encoder.max_length, encoder.normalize, encoder.pad_id
        self.language, self.ends = encoder.language, encoder.ends
        ids, cut = self._ids("")
        if cut or len(ids) > self.max_length - LEAST:
            _refuse(len(ids), self.max_length)

    def encode_ragged(self, texts: Sequence[TextInput], *, offsets: bool = False) -> Ragged:  # noqa: ARG002 - as Encoder's
        """Encode N texts, each within the prompt; of one that is too long the end of the text is cut."""
        sources = [_normal(text, self.normalize) for text in texts]
        found = self._encoder.encode_ragged([self.prompt.around(source) for source in sources])
        if not self.prompt.after.strip():
            return found  # what is cut is the end of the text in any case
        for row in np.flatnonzero(found.truncated).tolist():
            kept = shortened(sources[row], lambda part: not self._ids(part)[1])
            found.ids[row] = self._ids(kept)[0]
        return found

    def collate(self, ragged: Ragged, indices: Sequence[int] | Int64) -> Batch:
        """Pad B chosen rows on the right; see ``Encoder.collate``."""
        return self._encoder.collate(ragged, indices)

    def written(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N texts as the model writes them, without the prompt."""
        return self._encoder.written(texts)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, without special tokens."""
        return self._encoder.text_of(ids)

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files; the prompt stands in the manifest."""
        self._encoder.save(directory)

    def _ids(self, source: str) -> tuple[list[int], bool]:
        found = self._encoder.encode_ragged([self.prompt.around(source)])
        return found.ids[0], bool(found.truncated[0])


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt with its text, as a decoder is given it."""

    text: str
    """Rendered by the template."""
    ids: list[int]
    cut: bool
    """Whether the source lost its end."""


class ContinuedEncoder:
    """A decoder's tokenizer that puts each text into a prompt, as a user's turn where the model has a chat template."""

    overlap = None

    def __init__(self, chat: ChatEncoder, prompt: Prompt, shots: Sequence[tuple[str, str]] = (), *,
                 longest_target: int | None = None) -> None:
        """Check the prompt's length.

        Args:
            chat: opened ``bare``: the tokenizer, the template and the room of a prompt.
            prompt: around each text.
            shots: examples that stand before it, in the same prompt: texts, and what was written for them.
            longest_target: most tokens of a target that are learned, its end included; as many as fit when left out.

        Raises:
            ModelError: prompt and examples leave no room for a text.
        """
        self._chat, self.prompt, self._longest = chat, prompt, longest_target
        self.max_length, self.normalize, self.pad_id = chat.max_length, chat.normalize, chat.pad_id
        self.shots = tuple((self._source(source), chat.spelt(target)) for source, target in shots)
        self.room, self.template, self.ends = chat.room, chat.template, chat.ends
        alone = self._rendered("", self.shots)
        if len(alone.ids) > self.room - LEAST:
            _refuse(len(alone.ids), self.room, examples=len(self.shots))

    def encode_ragged(self, texts: Sequence[TextInput], *, offsets: bool = False) -> Ragged:  # noqa: ARG002 - as Encoder's
        """Encode N texts, each within the prompt, up to what asks for an answer.

        Raises:
            DataError: the template refuses a prompt; the message gives the row.
        """
        asked = [self._asked(self._source(text), self.shots, row) for row, text in enumerate(texts)]
        return Ragged([one.ids for one in asked], None, np.array([one.cut for one in asked], np.bool_))

    def learned(self, texts: Sequence[TextInput], targets: Sequence[str]) -> Learned:
        """Encode N texts with what shall be written for them; ``sequence`` is 1 at tokens of targets and their ends.

        A text begins with the very tokens that the model is given when it serves. One that is itself an example is
        learned without that example, whose target it would only have to copy.

        Args:
            texts: N sources.
            targets: N texts.

        Raises:
            DataError: the template refuses a prompt; the message gives the row.
        """
        ids, marks, lost, cuts = [], [], 0, []
        for row, (text, target) in enumerate(zip(texts, targets, strict=True)):
            own = self._source(text), self._chat.spelt(target)
            asked = self._asked(own[0], [shot for shot in self.shots if shot != own], row)
            wanted = self._continued(asked, own[1])
            most = min(self.max_length - len(asked.ids), self._longest or self.max_length)
            lost += asked.cut
            cuts.append(len(wanted) > most)
            ids.append(asked.ids + wanted[:most])
            marks.append(np.repeat(np.array([0, 1], np.int64), [len(asked.ids), len(wanted[:most])]))
        return Learned(Ragged(ids, None, np.array(cuts, np.bool_), sequence=marks), lost, sum(cuts), 0)

    def collate(self, ragged: Ragged, indices: Sequence[int] | Int64) -> Batch:
        """Pad B chosen rows on the right; see ``Encoder.collate``."""
        return self._chat.collate(ragged, indices)

    def written(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of N texts as the model writes them, with the end; as many as fit behind any prompt."""
        return self._chat.written(texts)

    def text_of(self, ids: Sequence[int]) -> str:
        """Return what token ids spell, without special tokens."""
        return self._chat.text_of(ids)

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files with the template; the prompt stands in the manifest."""
        self._chat.save(directory)

    def _source(self, text: TextInput) -> str:
        return self._chat.spelt(_normal(text, self.normalize))

    def _asked(self, source: str, shots: Sequence[tuple[str, str]], row: int) -> Asked:
        """Return a text within its prompt, with as much of it as there is room for."""
        try:
            whole = self._rendered(source, shots)
        except DataError as error:
            raise error.at(row) from None
        if len(whole.ids) <= self.room:
            return whole
        kept = shortened(source, lambda part: len(self._rendered(part, shots).ids) <= self.room)
        found = self._rendered(kept, shots)
        return Asked(found.text, found.ids, cut=True)

    def _rendered(self, source: str, shots: Sequence[tuple[str, str]]) -> Asked:
        turns = [turn for text, target in shots
                 for turn in (Turn("user", self.prompt.around(text)), Turn("assistant", target))]
        talk = Conversation((*turns, Turn("user", self.prompt.around(source))))
        text = self.template.render(talk, answering=True)
        # Nothing at all would be no row to go on with: one token of padding, as other encoders give.
        return Asked(text, self._chat.ids_of(text) or [self.pad_id], cut=False)

    def _continued(self, asked: Asked, target: str) -> list[int]:
        """Return the tokens of a target and its end, behind its prompt.

        As the tokenizer cuts the whole; where a token would reach from the prompt into the target, which no model that
        is given the prompt can write, as it cuts the target by itself.
        """
        own = self.template.lead + target + self.template.end
        whole, size = self._chat.ids_of(asked.text + own), len(asked.ids)
        return whole[size:] if whole[:size] == asked.ids else self._chat.ids_of(own)


def continued_encoder(
    directory: Path,
    prompt: Prompt,
    shots: Sequence[tuple[str, str]],
    *,
    max_length: int | None,
    normalize: Form,
    new_tokens: int,
    longest_target: int | None,
    source: Source,
) -> ContinuedEncoder:
    """Open a decoder's tokenizer with a prompt; arguments as ``ChatEncoder.load`` and ``ContinuedEncoder`` have them.

    Raises:
        ModelError: see there.
    """
    chat = ChatEncoder.load(directory, max_length=max_length, normalize=normalize, new_tokens=new_tokens,
                            source=source, bare=True)
    return ContinuedEncoder(chat, prompt, shots, longest_target=longest_target)


def _normal(text: TextInput, form: Form) -> str:
    return valid(normalize(str(text), form))


def _refuse(tokens: int, room: int, examples: int = 0) -> NoReturn:
    raise ModelError(
        f"task.prompt has {tokens} tokens{f' with its {examples} examples' if examples else ''}, and there is room for "
        f"{room}, of which a text needs {LEAST} at least",
        f"shorten the prompt{', take fewer examples (task.examples)' if examples else ''}, or set a larger "
        "model.max_length")
