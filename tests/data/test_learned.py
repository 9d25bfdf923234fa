"""A bundle recognises the rows that it was tuned on, without holding their words."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from luthier.data import learned
from luthier.schema import Dataset, Example, LabelSet

LABELS = LabelSet(("a", "b"))


def rows(texts: list[str], split: str) -> tuple[Example, ...]:
    return tuple(Example(f"{split}:{number}", text, labels=("a",)) for number, text in enumerate(texts))


def data(train: list[str], valid: list[str], test: list[str], content: str = "0f" * 32) -> Dataset:
    return Dataset(rows(train, "train"), rows(valid, "valid"), rows(test, "test"), LABELS, content)


@given(st.lists(st.text(), max_size=8), st.lists(st.text(), max_size=8), st.lists(st.text("xyz"), max_size=8))
def test_rows_of_train_and_valid_are_recognised_and_others_are_not(
    train: list[str], valid: list[str], other: list[str],
) -> None:
    stored = json.loads(json.dumps(learned.hashed(data(train, valid, other))))
    assert learned.known(rows(train, "again"), stored) == {"train": len(train), "valid": 0}
    found = learned.known(rows([f"new {number} {text}" for number, text in enumerate(other)], "other"), stored)
    assert found == {"train": 0, "valid": 0}


def test_a_row_that_differs_in_case_and_punctuation_alone_is_recognised_where_it_counts_most() -> None:
    stored = learned.hashed(data(["Very good!", "both"], ["very bad", "both"], ["new"]))
    given_rows = rows(["VERY, good", "Both.", "very bad", "new", "other"], "given")
    assert learned.known(given_rows, stored) == {"train": 2, "valid": 1}
    pairs = (Example("p", "one", "two"), Example("q", "two", "One!"))
    stored = learned.hashed(replace(data([], [], []), train=pairs[:1]))
    assert learned.known(pairs, stored)["train"] == 2


def test_no_word_is_kept_and_two_bundles_cannot_be_compared() -> None:
    one, other = (learned.hashed(data(["secret words"], ["more"], ["x"], content))
                  for content in ("0f" * 32, "ab" * 32))
    assert "secret" not in json.dumps(one)
    assert one["train"] != other["train"]
    assert len(one["train"]) == 8  # five bytes, written in base64
