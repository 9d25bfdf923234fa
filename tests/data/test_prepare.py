import json
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from luthier.data import BadRow, prepare
from luthier.data.split import sample, stratified
from luthier.errors import DataError
from luthier.recipe import PrepareSettings
from luthier.schema import Example
from luthier.text import loose_key

PLAIN = PrepareSettings()
SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def rows(*pairs, name="f"):
    return [Example(f"{name}:{i}", text, None, (label,)) for i, (text, label) in enumerate(pairs, start=1)]


def many(count, labels="ab", name="f", word="text number"):
    return rows(*((f"{word} {i}", labels[i % len(labels)]) for i in range(count)), name=name)


def ids(splits):
    return [row.id for split in splits for row in split]


def test_a_plain_file_is_split_6_2_2_and_stratified():
    dataset, report = prepare(many(100), None, None, PLAIN, 0)
    assert report.split_sizes == {"train": 60, "valid": 20, "test": 20}
    assert report.label_counts["test"] == {"a": 10, "b": 10}
    assert dataset.labels.names == ("a", "b")
    assert report.split_ids["test"] == [row.id for row in dataset.test]
    assert report.content_hash == dataset.content_hash
    again, _ = prepare(many(100), None, None, PLAIN, 0)
    assert again == dataset
    other, _ = prepare(many(100), None, None, PLAIN, 1)
    assert other.content_hash != dataset.content_hash


def test_order_of_the_file_is_kept_within_splits():
    dataset, _ = prepare(many(50), None, None, PLAIN, 3)
    for _, split in dataset.splits():
        numbers = [int(row.id.split(":")[1]) for row in split]
        assert numbers == sorted(numbers)


def test_texts_are_cleaned_and_counted():
    extra = rows((" text number 0\u200b", "a"), ("\u3000", "a"), ("", "b"), ("text number 1", "b"),
                 ("odd", "a"), ("odd", "b"), ("odd", "a"), name="g")
    dataset, report = prepare(many(40) + extra, None, None, PLAIN, 0)
    assert (report.empty, report.normalized, report.duplicates) == (2, 1, 3)
    assert (report.contradictory_texts, report.contradictory_rows) == (1, 2)
    assert report.contradictions[0].ids == ("g:5", "g:6")
    assert report.contradictions[0].labels == ("a", "b")
    assert report.rows == 40
    assert sum(report.rows_read.values()) - report.rows == 7
    assert len(set(ids(split for _, split in dataset.splits()))) == 40


def test_without_deduplication_everything_is_kept_and_counted():
    extra = rows(("text number 0", "a"), ("odd", "a"), ("odd", "b"), name="g")
    _, report = prepare(many(40) + extra, None, None, PrepareSettings(deduplicate=False), 0)
    assert (report.duplicates, report.contradictory_rows, report.rows) == (1, 2, 43)
    assert any("kept, as asked" in line for line in report.lines())


def test_near_duplicates_stay_together():
    near = rows(*((f"{word}{mark}", label) for word, label in (("Alpha", "a"), ("Beta", "b"), ("很好", "a"))
                  for mark in ("", "!", "！！", " ...", "?")), name="g")
    dataset, report = prepare(many(40) + near, None, None, PLAIN, 0)
    assert (report.near_duplicate_groups, report.near_duplicate_rows) == (3, 15)
    homes = {}
    for name, split in dataset.splits():
        for row in split:
            assert homes.setdefault(loose_key(row.text), name) == name


def test_given_files_do_not_leak():
    train, valid, test = many(40), many(12, name="v", word="valid text"), many(12, name="t", word="test text")
    train += rows(("TEST text 1!", "b"), ("valid text 2", "a"), name="g")
    valid += rows(("test text 3", "b"), name="h")
    dataset, report = prepare(train, valid, test, PLAIN, 0)
    assert report.leaks == {"valid in test": 1, "train in test": 1, "train in valid": 1}
    assert report.split_sizes == {"train": 40, "valid": 12, "test": 12}
    assert not {"g:1", "g:2", "h:1"} & set(ids(split for _, split in dataset.splits()))
    assert any("rows of train stand in test too: left out" in line for line in report.lines())


def test_missing_files_are_split_off_train():
    _, report = prepare(many(80), None, many(12, name="t", word="test"), PLAIN, 0)
    assert report.split_sizes == {"train": 60, "valid": 20, "test": 12}
    _, report = prepare(many(80), many(12, name="v", word="valid"), None, PLAIN, 0)
    assert report.split_sizes == {"train": 60, "valid": 12, "test": 20}


def test_files_of_one_name_do_not_share_ids():
    dataset, _ = prepare(many(40), many(12, word="v"), many(12, word="t"), PLAIN, 0)
    assert dataset.valid[0].id == "valid/f:1"
    assert len(set(ids(split for _, split in dataset.splits()))) == 64


def test_rare_labels_stay_in_train_and_are_told():
    dataset, report = prepare(many(40) + rows(("one", "rare"), ("two", "rare"), name="g"), None, None, PLAIN, 0)
    assert [row.id for row in dataset.train][-2:] == ["g:1", "g:2"]
    assert any("'rare'" in note and "train only" in note for note in report.notes)


def test_a_sample_is_stratified_and_told():
    _, report = prepare(many(1000, "aaaaaaaaab"), None, None, PrepareSettings(max_rows=100), 0)
    assert report.rows == 100
    assert sum(counts["b"] for counts in report.label_counts.values()) == 10
    assert any("a sample of 100 of 1,000" in note for note in report.notes)


def test_several_labels():
    labelled = [Example(f"f:{i}", f"text {i}", None, labels)
                for i, labels in enumerate([("x",), ("x", "y"), (), ("y", "z")] * 15)]
    dataset, report = prepare(labelled, None, None, PLAIN, 0, problem_type="multi_label_classification")
    assert dataset.labels.multi_label
    assert dataset.labels.names == ("x", "y", "z")
    assert sum(report.split_sizes.values()) == 60
    for name, share in (("train", 0.6), ("valid", 0.2), ("test", 0.2)):
        for label, total in (("x", 30), ("y", 30), ("z", 15)):
            assert abs(report.label_counts[name][label] - share * total) <= 3


def test_labels_are_ordered_by_number():
    assert prepare(many(60, ["10", "9", "2"]), None, None, PLAIN, 0)[0].labels.names == ("2", "9", "10")


@pytest.mark.parametrize(("train", "test", "message"), [
    (rows(("a", "x"), ("b", "y")), None, "only 2 usable rows"),
    (many(50, "a"), None, "all 50 rows carry the label 'a'"),
    ([], None, "only 0 usable rows"),
    (rows(*((f"t {i}", f"label {i}") for i in range(40))), None, "that is no label to learn"),
    (many(40), many(12, "bc", name="t", word="test"), r"1 label\(s\) that train does not have: 'c'; train has 'a'"),
    (many(40), many(12, name="t"), "no row is left"),
    (many(40), [Example("t:1", "", None, ("a",))], "no row of test is left of 1"),
    ([*many(40), Example("g:1", "bare")], None, "train: 1 rows have no label, such as g:1"),
    ([*many(40), Example("g:1", "two", None, ("a", "b"))], None, "not have exactly one label, such as g:1"),
    (rows(*((f"t {i}", f"l{i // 2}") for i in range(20))), None, "no row is left for valid: too few rows"),
    ([*many(40), *many(40)], None, "40 ids stand more than once"),
])
def test_data_that_cannot_be_learned_from(train, test, message):
    if message == "no row is left":
        train, message = many(12), "no row of train is left of 12"
    with pytest.raises(DataError, match=message) as caught:
        prepare(train, None, test, PLAIN, 0)
    assert caught.value.fix


def test_report_round_trip_and_lines():
    _, report = prepare(many(40) + rows(("x y", "a"), ("x y", "b"), name="g"), None, None, PLAIN, 0)
    report = report.with_bad_rows({"f.csv": [BadRow(7, "no label")] * 200})
    stored = json.loads(json.dumps(report.to_dict()))
    assert (stored["rows_read"], stored["bad_rows"], "split_ids" in stored) == (report.rows_read, 200, False)
    assert (report.bad_rows, len(report.bad_examples)) == (200, 100)
    assert "42 rows read, 40 kept: train 24, valid 8, test 8" in report.lines()
    assert "200 unreadable rows left out, the first at f.csv:7: no label" in report.lines()
    several = report.with_bad_rows({"f.csv": [BadRow(1, "no label"), BadRow(2, "'ab' has 3 cells"),
                                              BadRow(3, "'c' has 14 cells")]})
    assert "of these: 2 … has … cells; 1 no label" in several.lines()


LABELS = st.sampled_from("abcdef")
TEXTS = st.lists(st.tuples(st.integers(0, 60), LABELS, st.booleans()), min_size=1, max_size=120)


@given(TEXTS, st.integers(0, 9))
def test_splits_are_disjoint_complete_and_keep_groups_together(drawn, seed):
    examples = [Example(f"f:{i}", f"text {word}{'!' * loud}", None, (label,))
                for i, (word, label, loud) in enumerate(drawn)]
    splits = stratified(examples, SHARES, seed).parts
    assert sorted(ids(splits.values())) == sorted(row.id for row in examples)
    homes = {}
    for name, split in splits.items():
        for row in split:
            assert homes.setdefault(loose_key(row.text), name) == name


@given(st.lists(LABELS, min_size=1, max_size=200), st.integers(0, 9))
@example(["a"] * 3 + ["b"] * 3 + ["c"] * 3 + ["d"] * 3, 0)
def test_distinct_rows_are_stratified_within_one_row(drawn, seed):
    examples = [Example(f"f:{i}", f"text {i}", None, (label,)) for i, label in enumerate(drawn)]
    splits, whole, _ = stratified(examples, SHARES, seed)
    for label, total in Counter(drawn).items():
        found = {name: sum(row.labels == (label,) for row in split) for name, split in splits.items()}
        if total < 3:
            assert label in whole
            assert found["train"] == total
        else:
            assert all(found[name] >= 1 and abs(found[name] - share * total) <= 1 for name, share in SHARES.items())
    if not whole:
        # Each label is within one row; of four labels with three rows each, every split must get four.
        apart = max(3, len(set(drawn)))
        assert all(abs(len(splits[name]) - share * len(drawn)) <= apart for name, share in SHARES.items())


@given(st.lists(LABELS, min_size=10, max_size=200), st.integers(10, 60), st.integers(0, 9))
def test_a_sample_has_the_size_asked_for_and_every_label(drawn, size, seed):
    examples = [Example(f"f:{i}", f"text {i}", None, (label,)) for i, label in enumerate(drawn)]
    chosen = sample(examples, size, seed)
    assert len(chosen) == min(size, len(drawn))
    assert {row.labels for row in chosen} == {row.labels for row in examples}
    assert [row for row in examples if row in chosen] == chosen


def test_labels_that_look_like_lists_are_pointed_out() -> None:
    names = ("price", "quality", "price; quality", "quality; price", "service", "service; price")
    rows = [Example(f"f:{n}", f"text number {n} {name}", labels=(name,)) for n, name in enumerate(names * 5)]
    _, report = prepare(rows, None, None, PrepareSettings(), 0)
    assert any("--label-separator ';'" in note for note in report.notes)
    plain = [Example(f"f:{n}", f"text number {n}", labels=(("a, b", "c")[n % 2],)) for n in range(30)]
    assert not any("--label-separator" in note for note in prepare(plain, None, None, PrepareSettings(), 0)[1].notes)
