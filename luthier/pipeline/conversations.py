"""Conversations as token ids, with their answers marked, and what there is to say of their lengths."""

from __future__ import annotations

from luthier.errors import DataError
from luthier.models.chat import ChatEncoder, Learned
from luthier.models.encoding import Ragged
from luthier.pipeline.loading import Loaded
from luthier.schema import Example
from luthier.tasks import first_targets


def encoded_conversations(loaded: Loaded, encoder: ChatEncoder) -> tuple[dict[str, Ragged], list[str]]:
    """Return the train and valid conversations as token ids, answers marked, and what to say of what was cut.

    Raises:
        DataError: the chat template refuses a conversation; the message names its row. Or a row has no answer.
    """
    found = {name: _learned(rows, encoder) for name, rows in loaded.dataset.splits() if name != "test"}
    return {name: one.ragged for name, one in found.items()}, _notes(list(found.values()), encoder)


def _learned(rows: tuple[Example, ...], encoder: ChatEncoder) -> Learned:
    prompts = [row.conversation for row in rows if row.conversation is not None]
    try:
        return encoder.learned(prompts, first_targets(rows))
    except DataError as error:
        number, _, rest = error.problem.removeprefix("row ").partition(":")
        where = rows[int(number)].id if number.isdigit() else number
        raise DataError(f"{where}:{rest}", error.fix) from None


def _notes(found: list[Learned], encoder: ChatEncoder) -> list[str]:
    rows, tokens = sum(len(one.ragged) for one in found), [one.ragged.lengths for one in found]
    learned = sum(int(marks.sum()) for one in found for marks in one.ragged.sequence or ())
    share = learned / max(1, sum(int(sizes.sum()) for sizes in tokens))
    shortened, cut, passed = (sum(getattr(one, name) for one in found) for name in ("shortened", "cut", "passed_over"))
    notes = [f"loss: on the {learned:,} tokens of answers and their ends, {100 * share:.0f}% of all"]
    limit = f"{encoder.max_length} tokens with the answer, {encoder.room} without"
    if not shortened and not cut:
        return [*notes, *_passed(passed), f"length: every train and valid conversation fits into {limit}"]
    if shortened:
        notes.append(f"length: {shortened} of {rows} train and valid conversations do not fit into {limit}: they lose "
                     "their first turns, or the end of a single question (model.max_length)")
    if cut:
        notes.append(f"length: {cut} of {rows} train and valid answers do not fit behind their prompts into "
                     f"{encoder.max_length} tokens, and the rest of them is not learned (model.max_length)")
    return [*notes, *_passed(passed)]


def _passed(count: int) -> list[str]:
    return [f"{count} earlier answers are not learned: the chat template writes them otherwise once others follow"
            ] if count else []
