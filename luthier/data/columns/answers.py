"""Which columns hold questions, their contexts and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data import names as roles
from luthier.data.cells.answers import FORMS, form_of
from luthier.data.cells.labels import as_list
from luthier.data.layout_values import Seen
from luthier.errors import DataError

Rows = Sequence[Mapping[str, Any]]

QUESTIONS = "question-answering"
"""Name of the task."""

QUESTION_NAMES = ("question", "questiontext", "query", "querytext", "问题", "提问")
CONTEXT_NAMES = ("context", "contexttext", "passage", "paragraph", "document", "article",
                 "上下文", "段落", "篇章", "文章")
ANSWER_NAMES = ("answers", "answer", "goldanswers", "answertext", "答案")
START_NAMES = ("answerstart", "answerstartposition")
IMPOSSIBLE_NAMES = ("isimpossible", "unanswerable")
GROUP_NAMES = ("title", "articletitle", "documenttitle", "标题")
"""Names of the columns, as ``plain`` writes them, the likelier first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The columns of a file of questions."""

    question: str
    context: str
    answers: str | None
    """``None`` where the rows are read without."""
    impossible: str | None
    """Says that a row has no answer."""
    group: str | None
    """Names the article that a context is from."""
    start: str | None
    """Says where the one answer of a row begins, where its text has a column of its own."""


def find_questions(seen: Seen, task: str | None, *, labelled: bool) -> Asked | None:
    """Return the columns of a file of questions; ``None`` when it is none, or is asked to be read for something else.

    Args:
        seen: the first rows.
        task: what the caller asked for. Without it the names and the form of the answers must tell.
        labelled: whether answers are needed.

    Raises:
        DataError: questions were asked for, and a column is missing.
    """
    columns, present = seen.columns, seen.present
    if task not in (None, QUESTIONS) or (task is None and (not labelled or columns.label_separator)):
        return None
    question = roles.asked_or_named(present, columns.text, QUESTION_NAMES, ())
    context = roles.asked_or_named(present, columns.text_b, CONTEXT_NAMES, (question,))
    answers = roles.asked_or_named(present, columns.label, ANSWER_NAMES, (question, context))
    start = roles.named(present, START_NAMES)
    free = [column for column in present if column not in (question, context, answers)]
    if task is None and not (question and context and answers and (
            start or _placed(seen.rows, answers) or _found(seen.rows, answers, context, free))):
        return None
    if question is None or context is None:
        raise DataError(f"{seen.path}: found no column for the {'question' if question is None else 'context'} among "
                        f"{roles.shown(present)}", "name both: --text QUESTION --text-b CONTEXT")
    if answers is None and labelled:
        raise DataError(f"{seen.path}: found no column of answers among {roles.shown(present)}",
                        f"name it: --label COLUMN; its cells are {FORMS}, empty lists where there is no answer")
    return Asked(question, context, answers if labelled else None, roles.named(free, IMPOSSIBLE_NAMES),
                 roles.named(free, GROUP_NAMES), start)


def _placed(rows: Rows, column: str) -> bool:
    """Tell whether most filled cells hold answers with their places, and at least one does."""
    cells = [cell for row in rows if (cell := row.get(column)) not in (None, "")]
    forms = [form_of(cell) for cell in cells]
    return any(forms) and 2 * sum(form is not None for form in forms) > len(forms)


def _found(rows: Rows, column: str, context: str, free: Sequence[str]) -> bool:
    """Tell whether cells hold texts of which most stand in their contexts, which are no few classes, and have no label
    beside them.
    """
    if roles.few_values(rows, [column]) or roles.named(free, (*roles.LABEL_NAMES, *roles.NUMBER_NAMES)):
        return False
    pairs = [(str(row.get(context)), text) for row in rows if (cell := row.get(column)) not in (None, "")
             for text in (as_list(cell) or [cell]) if isinstance(text, str)]
    return bool(pairs) and 2 * sum(text in whole for whole, text in pairs) > len(pairs)
