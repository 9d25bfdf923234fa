"""What is asked of a bundle that orders passages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luthier.errors import DataError
from luthier.inference import rerank
from luthier.schema import LabelSet


def test_one_text_is_not_taken_for_a_list_of_letters() -> None:
    reader: Any = SimpleNamespace(name="reader", labels=LabelSet(("relevant",), "re_ranking"))
    with pytest.raises(DataError, match=r"passages is one text, expected a list of them\n.*put it into a list"):
        rerank(reader, "when?", "at ten")
