"""Prompts: taken apart at the one place of the source, and texts cut to what fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.text.prompts import Prompt, shortened


@pytest.mark.parametrize("template", [
    "{source}", "summarize: {source}", "Say {source} again.\n", '{"a": 1, "b": {source}}', "译：{source}\n译文：",
    "{} {{x y}} {source} {1}",
])
@given(source=st.text())
def test_a_source_takes_its_place_whatever_stands_in_it(template: str, source: str) -> None:
    prompt = Prompt.of(template)
    assert prompt.around(source) == prompt.before + source + prompt.after
    assert prompt.around("{source}") == template


@pytest.mark.parametrize(("template", "told"), [
    ("Summarize:", "holds {source} once, where the text goes, and this one holds it 0 times"),
    ("{source} and {source}", "holds it 2 times"),
    ("Translate {sorce}", r"{sorce} is no place of a prompt, did you mean 'source'?"),
    ("{source} to {language}", "{language} is no place of a prompt, use one of the known names; the one there is is"),
])
def test_templates_without_their_place_are_refused(template: str, told: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        Prompt.of(template)
    assert told in str(caught.value)


@given(st.text(st.sampled_from("ab \n好"), max_size=600), st.integers(0, 300))
def test_a_text_is_cut_to_the_most_that_fits(text: str, room: int) -> None:
    asked: list[int] = []

    def fits(part: str) -> bool:
        asked.append(len(part))
        return len(part.encode()) <= room

    found = shortened(text, fits)
    assert text.startswith(found)
    assert found == found.rstrip()
    assert fits(found)
    if not fits(text.rstrip()):
        longer = next(text[:end].rstrip() for end in range(len(found) + 1, len(text) + 1)
                      if len(text[:end].rstrip()) > len(found))
        assert not fits(longer)


def test_a_text_of_a_million_characters_is_not_weighed_as_a_whole() -> None:
    asked: list[int] = []

    def fits(part: str) -> bool:
        asked.append(len(part))
        return len(part) <= 100

    assert len(shortened("a" * 1_000_000, fits)) == 100
    assert sum(asked) < 4000
