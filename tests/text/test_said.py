"""Sentences in two languages: text like any other, which keeps its Chinese when it is copied."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from luthier.text import Said

ONE = Said("it has learned nothing", "什么也没学到")


@pytest.mark.parametrize("again", [copy.copy(ONE), copy.deepcopy(ONE), pickle.loads(pickle.dumps(ONE)), ONE])
def test_it_is_text_with_its_chinese(again: Said) -> None:
    assert (again, again.chinese, type(again)) == ("it has learned nothing", "什么也没学到", Said)
    assert json.dumps([again]) == '["it has learned nothing"]'
    assert f"{again}!" == "it has learned nothing!"
