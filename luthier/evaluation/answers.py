"""Judging finders of answers: stretches of a context that answer a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from luthier.errors import DataError
from luthier.evaluation.answer_scores import is_chinese, score_answer
from luthier.evaluation.row_values import RowValues
from luthier.evaluation.scores import Judged, Scores
from luthier.schema import Answer, Example, FoundAnswer

EXACT, F1 = "exact_match", "f1"


def gold_texts(examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """Return the right answers of the examples, none where there is no answer.

    Raises:
        DataError: an example is no question with a context, or unlabelled.
    """
    for example in examples:
        if example.answers is None or example.text_b is None:
            raise DataError(f"{example.id}: evaluation needs the answers of every question, got none",
                            "leave the row out, give it an empty list where its context holds no answer, or use "
                            "`luthier predict` for unlabelled rows")
    return [tuple(answer.text for answer in example.answers or ()) for example in examples]


def judge_answers(answers: Sequence[Answer], examples: Sequence[Example]) -> Judged:
    """Hold the answers that were found against the right ones.

    Args:
        answers: a ``FoundAnswer`` for each of N rows.
        examples: the N rows.

    Raises:
        DataError: too few answers, or of another kind.
    """
    gold = gold_texts(examples)
    found = [answer for answer in answers if isinstance(answer, FoundAnswer)]
    if len(found) != len(gold):
        raise DataError(f"the predictor answered {len(found)} of {len(gold)} questions",
                        "evaluate with a bundle that answers questions")
    table = np.array([score_answer(answer.answer, right, chinese=is_chinese(example.text_b or ""))
                      for answer, right, example in zip(found, gold, examples, strict=True)])  # (N, 2)
    asked = np.array([bool(right) for right in gold])
    said = np.array([bool(answer.answer) for answer in found])
    outcomes = RowValues({F1: table[:, 1], EXACT: table[:, 0]}, table[:, 0] == 1, asked[:, None], said[:, None],
                         {} if asked.all() or not asked.any() else {"answerable": asked, "unanswerable": ~asked}, gold)
    metrics = outcomes.metrics(np.ones((1, len(gold))), np.arange(len(gold)))
    scores = Scores(len(gold), {name: float(value[0]) for name, value in metrics.items()}, (), None,
                    parts={name: int(mask.sum()) for name, mask in outcomes.parts.items()})
    sure = np.array([answer.score for answer in found], np.float32)
    return Judged(scores, outcomes, np.where(outcomes.right, np.float32(0), sure))
