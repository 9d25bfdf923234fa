"""Marks around two stretches: where they stand, and which stretches are refused."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.schema import Argument, Marked
from luthier.text import check_marked, marked, written

TEXT = "The ring was in a box."


@pytest.mark.parametrize(("row", "expected"), [
    (Marked(TEXT, Argument(4, 8), Argument(18, 21)), "The @ ring @ was in a # box # ."),
    (Marked(TEXT, Argument(18, 21), Argument(4, 8)), "The # ring # was in a @ box @ ."),
    (Marked("天空在山上", Argument(3, 4), Argument(0, 2)), "# 天空 # 在 @ 山 @ 上"),
    (Marked("ab", Argument(0, 1), Argument(1, 2)), "@ a @ # b #"),
    (Marked("abc", Argument(0, 3), Argument(1, 2)), "@ a # b # c @"),
    (Marked("abc", Argument(0, 1), Argument(0, 3)), "# @ a @ bc #"),
    (Marked("abc", Argument(2, 3), Argument(0, 3)), "# ab @ c @ #"),
    (Marked("abc", Argument(0, 2), Argument(1, 3)), "@ a # b @ c #"),
    (Marked("# a @ b", Argument(2, 3), Argument(6, 7)), "# @ a @ @ # b #"),
    (Marked("Ann, Rome", Argument(0, 3, "PERSON"), Argument(5, 9, "STATE_OR_CITY")),
     "@ * person * Ann @ , # ^ state or city ^ Rome #"),
    (Marked("Ann, Rome", Argument(0, 3, " "), Argument(5, 9, "")), "@ Ann @ , # Rome #"),
])
def test_marks_stand_around_the_stretches(row: Marked, expected: str) -> None:
    found = written(row)
    assert found.text == expected
    assert found.text[found.head] == "@"
    assert found.text[found.tail] == "#"
    assert found.text[found.end - 1] in "@#"
    behind = len(row.text) - max(row.head.end, row.tail.end)
    assert found.text[found.end:].strip() == row.text[len(row.text) - behind:].strip()


def test_the_json_form_comes_back() -> None:
    for row in (Marked(TEXT, Argument(4, 8), Argument(18, 21)), Marked(TEXT, Argument(4, 8, "thing"), Argument(0, 8))):
        assert marked(row.to_dict()) == row


@pytest.mark.parametrize(("row", "said"), [
    (Marked(None, Argument(0, 2), Argument(3, 5)), "text: expected a text, got NoneType"),  # type: ignore[arg-type]
    (Marked("ab cd", Argument(0.0, 2), Argument(3, 5)), "head: expected whole numbers"),  # type: ignore[arg-type]
])
def test_values_of_other_types_are_refused(row: Marked, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_marked(row)


OTHER = {"start": 18, "end": 21}


@pytest.mark.parametrize(("head", "said"), [
    ({"start": 4, "end": 4}, "head: 4-4 holds no character: its end must be behind its start"),
    ({"start": 8, "end": 4}, "head: 8-4 holds no character"),
    ({"start": -1, "end": 4}, "head: -1-4 lies outside the text of 22 characters"),
    ({"start": 4, "end": 23}, "head: 4-23 lies outside the text of 22 characters"),
    ({"start": 3, "end": 4}, "head: 3-4 holds only white space"),
    (OTHER, "head and tail are the same stretch, 18-21"),
    ({"start": 4, "end": 8, "type": "x" * 101}, "head.type has 101 characters, and a type has at most 100"),
    ({"start": 4, "end": 8, "type": 3}, "head.type: expected a text, got int"),
    ({"start": 4, "end": 8, "label": "x"}, "head: unknown key 'label'"),
    ({"start": 4}, "head has no 'end'"),
    ({"start": True, "end": 8}, "head.start: expected a whole number"),
    ({"start": 4.0, "end": 8}, "head.start: expected a whole number"),
    ("ring", 'head: expected {"start": 0, "end": 4}, got str'),
])
def test_bad_stretches_are_refused(head: Any, said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at
        marked({"text": TEXT, "head": head, "tail": OTHER})
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(("value", "said"), [
    ({"text": TEXT, "head": OTHER}, "has no 'tail'"),
    ({"text": 3, "head": OTHER, "tail": OTHER}, "text: expected a text, got int"),
    ({"text": TEXT, "head": OTHER, "tail": OTHER, "label": "x"}, "unknown key 'label': the keys are text, head and"),
])
def test_other_keys_are_refused(value: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at
        marked(value)
    assert str(error.value).startswith(said)


def test_one_may_lie_within_the_other() -> None:
    check_marked(Marked(TEXT, Argument(0, 8), Argument(4, 8)))
