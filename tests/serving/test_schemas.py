"""The description of the API names every form that an answer may have."""

from __future__ import annotations

import pytest

from luthier import plugins
from luthier.serving.answers import BODIES
from luthier.serving.schemas import PredictAnswer


@pytest.mark.parametrize("name", plugins.names("tasks"))
def test_every_answer_is_described_key_by_key(name: str) -> None:
    answer = plugins.load("tasks", name).ANSWER
    assert tuple(BODIES[answer].model_fields) == answer.KEYS


def test_an_answer_is_one_body_or_a_list_of_them() -> None:
    described = PredictAnswer.model_json_schema()
    forms = described["properties"]["predictions"]["anyOf"]
    names = [body.__name__ for body in BODIES.values()]
    assert [form["$ref"] for form in forms[: len(names)]] == [f"#/$defs/{name}" for name in names]
    assert [form["items"]["$ref"] for form in forms[len(names):]] == [f"#/$defs/{name}" for name in names]
