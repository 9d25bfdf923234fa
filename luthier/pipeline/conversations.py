"""What decoders learn as token ids, prompts and answers in one, answers marked; and what to say of their lengths."""

from __future__ import annotations

from dataclasses import dataclass

from luthier.errors import DataError
from luthier.models.chat import ChatEncoder, Learned
from luthier.models.encoding import Ragged
from luthier.models.prompted import ContinuedEncoder
from luthier.pipeline.loading import Loaded
from luthier.schema import Example
from luthier.tasks import first_targets


@dataclass(frozen=True, slots=True)
class _Words:
    """What rows and their parts are called."""

    row: str
    answers: str
    with_answer: str
    loses: str
    also: str = ""


_CONVERSATIONS = _Words("conversation", "answers", "the answer", "their first turns, or the end of a single question")
_TEXTS = _Words("text", "targets", "prompt and target", "their end, and the prompt stays whole",
                ", task.max_target_length")


def encoded_whole(loaded: Loaded, encoder: ChatEncoder | ContinuedEncoder) -> tuple[dict[str, Ragged], list[str]]:
    """Return the train and valid rows as token ids, answers marked, and what to say of what was cut.

    Test rows are read, too: what cannot be asked shall be refused before hours of tuning, not after.

    Raises:
        DataError: the chat template refuses a conversation; the message names its row. Or a row has no answer.
    """
    found = {name: _learned(rows, encoder) for name, rows in loaded.dataset.splits()}
    found.pop("test", None)
    words = _CONVERSATIONS if loaded.dataset.labels.of_dialogues else _TEXTS
    return {name: one.ragged for name, one in found.items()}, _notes(list(found.values()), encoder, words)


def _learned(rows: tuple[Example, ...], encoder: ChatEncoder | ContinuedEncoder) -> Learned:
    try:
        return encoder.learned([row.text_input for row in rows], first_targets(rows))
    except DataError as error:
        if error.row is None:
            raise
        raise DataError(f"{rows[error.row].id}: {error.said}", error.fix) from None


def _notes(found: list[Learned], encoder: ChatEncoder | ContinuedEncoder, words: _Words) -> list[str]:
    rows, tokens = sum(len(one.ragged) for one in found), [one.ragged.lengths for one in found]
    learned = sum(int(marks.sum()) for one in found for marks in one.ragged.sequence or ())
    share = learned / max(1, sum(int(sizes.sum()) for sizes in tokens))
    shortened, cut, passed = (sum(getattr(one, name) for one in found) for name in ("shortened", "cut", "passed_over"))
    notes = [f"loss: on the {learned:,} tokens of {words.answers} and their ends, {100 * share:.0f}% of all"]
    limit = f"{encoder.max_length} tokens with {words.with_answer}, {encoder.room} without"
    if not shortened and not cut:
        return [*notes, *_passed(passed), f"length: every train and valid {words.row} fits into {limit}"]
    if shortened:
        notes.append(f"length: {shortened} of {rows} train and valid {words.row}s do not fit into {limit}: they lose "
                     f"{words.loses} (model.max_length)")
    if cut:
        notes.append(f"length: {cut} of {rows} train and valid {words.answers} do not fit behind their prompts into "
                     f"{encoder.max_length} tokens, and the rest of them is not learned (model.max_length{words.also})")
    return [*notes, *_passed(passed)]


def _passed(count: int) -> list[str]:
    return [f"{count} earlier answers are not learned: the chat template writes them otherwise once others follow"
            ] if count else []
