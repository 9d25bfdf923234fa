"""Rows that tell one another's answers stand in one split; what many rows share ties nothing together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.data import from_arrays, prepare
from luthier.data.begun import leaking
from luthier.data.clean import Found, loose_of
from luthier.data.report import DataReport
from luthier.data.split import stratified
from luthier.data.ties import Ties, joined, most_of
from luthier.recipe import PrepareSettings
from luthier.schema import Dataset, Example, ProblemType

Said = tuple[str, ...]
"""What user and assistant say in turn, the last being the answer."""


def conversations(said: Sequence[Said]) -> list[Example]:
    rows = [[{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]
            for turns in said]
    return from_arrays(rows, [None] * len(rows), name="rows", problem_type="dialogue")


def told(row: Example) -> Said:
    assert row.conversation is not None
    assert row.targets is not None
    return (*row.conversation, row.targets[0])


def turn_by_turn(whole: Said) -> list[Said]:
    return [whole[:count] for count in range(2, len(whole) + 1, 2)]


def prepared(problem: ProblemType, rows: list[Example], test: list[Example] | None = None,
             **own: object) -> tuple[Dataset, DataReport]:
    return prepare(rows, None, test, PrepareSettings.model_validate(own), 7, problem_type=problem)


def learned_answers(dataset: Dataset) -> set[Said]:
    """Return every beginning that ends in an answer of the train conversations."""
    return {part for row in dataset.train for part in turn_by_turn(told(row))}


def talk(number: int, exchanges: int, opening: Said = ()) -> Said:
    own = [text for turn in range(exchanges)
           for text in (f"question {number} number {turn}", f"answer {number} number {turn}")]
    return (*opening, *own)


def test_a_conversation_written_out_turn_by_turn_stands_in_one_split():
    rows = conversations([part for number in range(30) for part in turn_by_turn(talk(number, 4))])
    dataset, report = prepared("dialogue", rows)
    for _, split in dataset.splits():
        assert all(sum(told(one)[0] == told(row)[0] for one in split) == 4 for row in split)
    assert report.split_sizes == {"train": 72, "valid": 24, "test": 24}
    assert not any("beginnings" in note for note in report.notes)


def test_a_greeting_does_not_tie_all_conversations_together_and_its_answer_is_learned_not_asked():
    opening = ("Hi", "Hello! How can I help?")
    rows = conversations([part for number in range(40) for part in turn_by_turn(talk(number, 2, opening))])
    dataset, report = prepared("dialogue", rows)
    assert sum(report.split_sizes.values()) == 81
    assert abs(report.split_sizes["test"] - 0.2 * 81) <= 2
    assert opening in {told(row) for row in dataset.train}
    assert learned_answers(dataset).isdisjoint(told(row) for row in (*dataset.valid, *dataset.test))
    assert any(note.startswith("1 rows are beginnings from which many") for note in report.notes)


def test_equal_greetings_with_other_answers_do_not_tie_conversations_either():
    said = [part for number in range(40)
            for part in turn_by_turn(talk(number, 2, ("hi!", f"Greetings, customer {number}.")))]
    dataset, report = prepared("dialogue", conversations(said))
    assert abs(report.split_sizes["test"] - 0.2 * 120) <= 3
    assert sum(told(row)[0] == "hi!" and len(told(row)) == 2 for row in dataset.train) == 40
    assert learned_answers(dataset).isdisjoint(told(row) for row in (*dataset.valid, *dataset.test))


def test_a_few_conversations_that_go_on_from_one_beginning_stand_together():
    trees = [part for number in range(40) for branch in range(2)
             for part in turn_by_turn((*talk(number, 2), *talk(1000 * branch + number, 1)))]
    dataset, report = prepared("dialogue", conversations(trees))
    for _, split in dataset.splits():
        firsts = [told(row)[0] for row in split]
        assert all(firsts.count(one) == 4 for one in firsts)
    assert not any("beginnings" in note for note in report.notes)


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=4),
                min_size=12, max_size=60), st.integers(0, 5))
def test_no_answer_of_a_later_split_is_ever_learned(drawn: list[list[tuple[str, str]]], seed: int):
    said = {tuple(text for pair in turns for text in pair) for turns in drawn}
    said |= {talk(number, 1) for number in range(12)}
    rows = conversations(sorted(said))
    from luthier.data.kinds.dialogue import divided

    shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
    parts = divided(rows, shares, seed).parts
    assert sorted(row.id for split in parts.values() for row in split) == sorted(row.id for row in rows)
    learned = {part for row in parts["train"] for part in turn_by_turn(told(row))}
    assert learned.isdisjoint(told(row) for name in ("valid", "test") for row in parts[name])


def test_given_rows_that_hold_an_answer_of_test_are_left_out_and_counted():
    train = conversations([talk(number, 3) for number in range(30)])
    test = conversations([talk(number, 2) for number in range(5)] + [talk(number, 1) for number in range(100, 105)])
    dataset, report = prepared("dialogue", train, test)
    assert report.leaks["train in test"] == 5
    assert not {told(row)[0] for row in dataset.train} & {told(row)[0] for row in dataset.test}
    _, kept = prepared("dialogue", train, test, deduplicate=False)
    assert (kept.leaks["train in test"], sum(kept.rows_read.values()) - kept.rows) == (5, 0)


def test_a_longer_conversation_of_test_leaves_its_beginning_in_train():
    found = Found()
    early, late = conversations([talk(1, 1), talk(2, 1)]), conversations([talk(1, 2)])
    assert leaking(early, late, found) == [False, False]
    assert leaking(late, early, found) == [True]
    assert found.notes == []


def test_a_given_greeting_does_not_empty_train():
    opening = ("Hi", "Hello! How can I help?")
    train = conversations([part for number in range(30) for part in turn_by_turn(talk(number, 2, opening))[1:]])
    test = conversations([opening, *(talk(number, 1) for number in range(100, 111))])
    _, report = prepared("dialogue", train, test)
    assert report.leaks["train in test"] == 0
    assert any(note.startswith("1 rows are beginnings, such as greetings, that 60 rows of an earlier split have")
               for note in report.notes)


@pytest.mark.parametrize("problem", ["similarity", "regression", "single_label_classification"])
def test_a_pair_given_both_ways_stands_in_one_split(problem: ProblemType):
    pairs = [(f"text {number}", f"other {number}") for number in range(60)]
    both = [pair for one, other in pairs for pair in ((one, other), (other, one))]
    labels = [number // 2 % 7 / 3 for number in range(120)]
    given = labels if problem != "single_label_classification" else [f"label {value > 1}" for value in labels]
    dataset, report = prepared(problem, from_arrays(both, given, name="rows", problem_type=problem))
    for _, split in dataset.splits():
        held = {(row.text, row.text_b) for row in split}
        assert held == {(other, one) for one, other in held}
    assert report.near_duplicate_groups == 60
    turned = from_arrays([both[1]], given[:1], name="turned", problem_type=problem)
    rest = from_arrays(both[2::2], given[2::2], name="rest", problem_type=problem)
    first = from_arrays(both[:1], given[:1], name="first", problem_type=problem)
    _, report = prepared(problem, [*rest, *turned], first)
    assert report.leaks["train in test"] == 1


def passages(pairs: Sequence[tuple[str, str]], problem: ProblemType) -> list[Example]:
    return from_arrays([one for one, _ in pairs], [other for _, other in pairs], name="rows", problem_type=problem)


@pytest.mark.parametrize("problem", ["retrieval", "text_generation"])
def test_what_is_asked_for_in_one_row_and_found_in_another_stands_in_one_split(problem: ProblemType):
    pairs = [(f"{one} {number}", f"{other} {number}") for number in range(40)
             for one, other in (("first", "second"), ("second", "first"), ("second", "third"))]
    dataset, report = prepared(problem, passages(pairs, problem))
    places = {}
    for name, split in dataset.splits():
        for row in split:
            places.setdefault(row.text.split()[1], set()).add(name)
    assert all(len(found) == 1 for found in places.values())
    assert abs(report.split_sizes["test"] - 0.2 * report.rows) <= 2
    _, report = prepared(problem, passages(pairs[3:], problem), passages([("second 5", "first 5")], problem))
    assert report.leaks["train in test"] >= 2  # the query itself, and the pair the other way round


def test_one_passage_of_many_queries_may_stand_in_all_splits():
    rows = passages([(f"query {number}", f"answer {number % 4}") for number in range(60)], "retrieval")
    dataset, report = prepared("retrieval", rows)
    assert report.split_sizes == {"train": 36, "valid": 12, "test": 12}
    assert {text for row in dataset.test for text in row.passages.positive} == {f"answer {place}" for place in range(4)}


def test_texts_on_both_sides_of_a_great_many_pairs_are_told_and_swallow_nothing():
    chain = passages([(f"text {number}", f"text {number + 1}") for number in range(200)], "retrieval")
    _, report = prepared("retrieval", chain)
    assert abs(report.split_sizes["test"] - 40) <= 10
    assert any("stand on both sides of so many pairs" in note for note in report.notes)


@given(st.lists(st.lists(st.integers(0, 29), min_size=2, max_size=4), max_size=20),
       st.lists(st.lists(st.integers(0, 29), min_size=2, max_size=4), max_size=20))
def test_groups_hold_every_row_once_and_small_ties_make_no_large_group(always: list[list[int]], small: list[list[int]]):
    sets = [[2 * number, 2 * number + 1] for number in range(30)]
    groups, left = joined(sets, always, small)
    assert sorted(row for group in groups for row in group) == list(range(60))
    where = {row: number for number, group in enumerate(groups) for row in group}
    for tie in (*always, *(one for one in small if one not in left)):
        assert len({where[2 * one] for one in tie}) == 1
    if not always:
        assert max(map(len, groups)) <= most_of(60)


def test_a_group_larger_than_a_split_is_told():
    rows = [Example(str(number), f"text {number}", labels=("a",)) for number in range(20)]
    shares, groups = {"train": 0.8, "test": 0.2}, [list(range(10)), *([number] for number in range(10, 20))]
    assert stratified(rows, shares, 0, ties=Ties(groups)).notes == [
        "10 of 20 rows share what tells their answers and stand in one split, which is more than the 20% that a split "
        "should have: the shares are rough"]
    assert stratified(rows, shares, 0, together=loose_of).notes == []
