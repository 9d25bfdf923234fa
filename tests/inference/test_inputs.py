"""What a predictor takes: one row in place of a list, and rows of other types, are refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from luthier.errors import DataError
from luthier.inference.inputs import checked
from luthier.schema import Conversation, Turn

ASKED = Conversation((Turn("system", "Be brief."), Turn("user", "why?")))


@pytest.mark.parametrize("rows", [None, 5, True, np.array("a")])
def test_what_is_no_list_is_refused(rows: Any) -> None:
    with pytest.raises(DataError, match="expected a list of texts, got"):
        checked(rows, pair=False)


def test_one_conversation_is_no_list_of_its_turns() -> None:
    with pytest.raises(DataError, match="expected a list of conversations, got one Conversation"):
        checked(ASKED, pair=False, conversations=True)
    assert checked([ASKED], pair=False, conversations=True) == [ASKED]


@pytest.mark.parametrize("turns", [(), (Turn("assistant", "hello"),), (Turn("system", "Be brief."),)])
def test_a_conversation_must_ask_something(turns: tuple[Turn, ...]) -> None:
    with pytest.raises(DataError, match="the last message is not the user's"):
        checked([Conversation(turns)], pair=False, conversations=True)
