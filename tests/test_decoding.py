"""Settings of decoding: what is refused, and that white space in stop strings stays."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from luthier.recipe import Decoding


@pytest.mark.parametrize(("values", "message"), [
    ({"num_beams": 2, "do_sample": True}, "num_beams above 1 and do_sample=true exclude each other: set num_beams=1"),
    ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens=9 is more than max_new_tokens=8: lower the one"),
    ({"temperature": 0.7, "top_p": 0.9}, "temperature and top_p count only with do_sample=true: set that, or leave"),
    ({"top_k": 5}, "top_k count only with do_sample=true"),
    ({"length_penalty": 2.0}, "length_penalty count only with num_beams above 1"),
    ({"early_stopping": "never"}, "early_stopping count only with num_beams above 1"),
    ({"early_stopping": "sometimes"}, "Input should be 'never'"),
    ({"max_new_tokens": 0}, "greater than or equal to 1"),
    ({"temperature": 0, "do_sample": True}, "greater than or equal to 0.01"),
    ({"length_penalty": 400.0, "num_beams": 4}, "less than or equal to 10"),
    ({"max_new_tokens": 10**9}, "less than or equal to 32768"),
    ({"stop_strings": [""]}, "at least 1 character"),
    ({"num_beam": 2}, "Extra inputs are not permitted"),
])
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Decoding.model_validate(values)


def test_white_space_is_a_stop_string() -> None:
    assert Decoding(stop_strings=("\n", " end ")).stop_strings == ("\n", " end ")


def test_settings_survive_json() -> None:
    decoding = Decoding(do_sample=True, temperature=0.7, stop_strings=("\n",), seed=7)
    assert Decoding.model_validate_json(decoding.model_dump_json()) == decoding
