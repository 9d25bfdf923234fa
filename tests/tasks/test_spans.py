from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.schema import Span
from luthier.tasks import averages, precision_recall_f1
from luthier.tasks._spans import (
    bio_tags,
    exact_counts,
    partial_counts,
    strict_counts,
    token_counts,
    token_tags,
    type_counts,
)

NAMES = ("LOC", "ORG", "PER")
WIDTH = 3  # characters from the start of one word to the next; the last of them is a space


@st.composite
def tags(draw: st.DrawFn, length: int) -> list[str]:
    """Valid BIO tags: an I- tag always goes on with the span before it."""
    chosen, before = [], "O"
    for _ in range(length):
        choices = ["O", *(f"B-{name}" for name in NAMES), *([f"I-{before[2:]}"] * 3 if before != "O" else [])]
        before = draw(st.sampled_from(choices))
        chosen.append(before)
    return chosen


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    return [draw(tags(n)) for n in lengths], [draw(tags(n)) for n in lengths]


def spans(row: list[str]) -> list[Span]:
    found: list[Span] = []
    for place, tag in enumerate(row):
        start, end = WIDTH * place, WIDTH * place + WIDTH - 1
        if tag[0] == "B":
            found.append(Span(start, end, tag[2:]))
        elif tag[0] == "I":
            found[-1] = Span(found[-1].start, end, tag[2:])
    return found


def words(rows: list[list[str]]) -> list[list[tuple[int, int]]]:
    return [[(WIDTH * place, WIDTH * place + WIDTH - 1) for place in range(len(row))] for row in rows]


def conlleval(gold: list[list[str]], found: list[list[str]]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Count chunks as the shared tasks' perl script does: correct, guessed and in the gold, for each type.

    It walks through all tokens once, a boundary between sentences counting as an O of both, and holds a chunk correct
    when both columns begin it, keep its type and end it at the same token.
    """
    correct, guessed, truth = Counter[str](), Counter[str](), Counter[str]()

    def ends(before: str, now: str) -> bool:
        return before != "O" and (now == "O" or now[0] == "B" or now[2:] != before[2:])

    def starts(before: str, now: str) -> bool:
        return now != "O" and (before == "O" or now[0] == "B" or now[2:] != before[2:])

    inside, last_gold, last_found = "", "O", "O"
    flat = [pair for one, other in zip(gold, found, strict=True)
            for pair in [*zip(one, other, strict=True), ("O", "O")]]
    for true, given_tag in flat:
        end_true, end_given = ends(last_gold, true), ends(last_found, given_tag)
        if inside and end_true and end_given:
            correct[inside] += 1
            inside = ""
        elif inside and (end_true != end_given or true[2:] != given_tag[2:]):
            inside = ""
        if starts(last_gold, true) and starts(last_found, given_tag) and true[2:] == given_tag[2:]:
            inside = true[2:]
        truth[true[2:]] += starts(last_gold, true)
        guessed[given_tag[2:]] += starts(last_found, given_tag)
        last_gold, last_found = true, given_tag
    return correct, guessed, truth


@given(sentences())
@settings(max_examples=150)
def test_strict_counts_are_those_of_the_shared_tasks_script(drawn: tuple[list[list[str]], list[list[str]]]) -> None:
    gold, found = drawn
    tp, fp, fn = (part.sum(0) for part in strict_counts([*map(spans, gold)], [*map(spans, found)], NAMES))
    correct, guessed, truth = conlleval(gold, found)
    assert [correct[name] for name in NAMES] == tp.tolist()
    assert [guessed[name] for name in NAMES] == (tp + fp).tolist()
    assert [truth[name] for name in NAMES] == (tp + fn).tolist()


@pytest.mark.parametrize("strict", [False, True])
@given(drawn=sentences())
@settings(max_examples=60)
def test_strict_scores_are_those_of_seqeval(drawn: tuple[list[list[str]], list[list[str]]], strict: bool) -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    from seqeval.scheme import IOB2

    gold, found = drawn
    if not any(tag != "O" for row in gold + found for tag in row):
        return  # seqeval has no table of nothing
    parts = [part.sum(0) for part in strict_counts([*map(spans, gold)], [*map(spans, found)], NAMES)]
    means, each = averages(*parts, multi_label=False), precision_recall_f1(*parts)
    options = {"mode": "strict", "scheme": IOB2} if strict else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = metrics.classification_report(gold, found, output_dict=True, zero_division=0, **options)
    for kind in ("micro", "macro", "weighted"):
        for metric, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert means[f"{metric}_{kind}"] == pytest.approx(table[f"{kind} avg"][name])
    for k, name in enumerate(NAMES):
        if name in table:
            entry = table[name]
            assert [part[k] for part in each] == pytest.approx([entry[m] for m in ("precision", "recall", "f1-score")])
            assert entry["support"] == parts[0][k] + parts[2][k]


@given(sentences())
@settings(max_examples=60)
def test_the_token_table_is_that_of_scikit_learn(drawn: tuple[list[list[str]], list[list[str]]]) -> None:
    from sklearn.metrics import classification_report

    gold, found = drawn
    parts = [part.sum(0) for part in token_counts(words(gold), [*map(spans, gold)], [*map(spans, found)], NAMES)]
    table = classification_report(sum(gold, []), sum(found, []), output_dict=True, zero_division=0)
    means, each = averages(*parts, multi_label=False), precision_recall_f1(*parts)
    for kind in ("macro", "weighted"):
        for metric, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert means[f"{metric}_{kind}"] == pytest.approx(table[f"{kind} avg"][name])
    assert means["f1_micro"] == pytest.approx(table["accuracy"])
    for column, tag in enumerate(token_tags(NAMES)):
        if tag in table:
            entry = table[tag]
            assert [part[column] for part in each] == pytest.approx(
                [entry[m] for m in ("precision", "recall", "f1-score")])
            assert entry["support"] == parts[0][column] + parts[2][column]
        else:
            assert not any(part[column] for part in parts)


@given(sentences())
@settings(max_examples=100)
def test_laxer_counts_are_never_stricter(drawn: tuple[list[list[str]], list[list[str]]]) -> None:
    gold, found = ([*map(spans, part)] for part in drawn)
    strict, exact, partial, typed = (
        [part.sum() for part in counts]
        for counts in (strict_counts(gold, found, NAMES), exact_counts(gold, found), partial_counts(gold, found),
                       type_counts(gold, found, NAMES)))
    assert strict[0] <= exact[0]
    assert strict[0] <= typed[0]
    assert 2 * exact[0] <= partial[0]
    for counts, unit in ((strict, 1), (exact, 1), (typed, 1), (partial, 2)):
        assert counts[0] + counts[2] == unit * sum(map(len, gold))
        assert counts[0] + counts[1] == unit * sum(map(len, found))
        assert min(counts) >= 0


def totals(counts: tuple[np.ndarray, ...]) -> list[int]:
    return [int(part.sum()) for part in counts]


# One sentence and what each way of counting makes of it: true positives, false positives, false negatives.
@pytest.mark.parametrize(("found", "strict", "exact", "partial", "typed"), [
    ([Span(0, 10, "ORG")], [1, 0, 0], [1, 0, 0], [2, 0, 0], [1, 0, 0]),
    ([Span(0, 10, "LOC")], [0, 1, 1], [1, 0, 0], [2, 0, 0], [0, 1, 1]),
    ([Span(0, 4, "ORG")], [0, 1, 1], [0, 1, 1], [1, 1, 1], [1, 0, 0]),
    ([Span(4, 12, "LOC")], [0, 1, 1], [0, 1, 1], [1, 1, 1], [0, 1, 1]),
    ([Span(10, 12, "ORG")], [0, 1, 1], [0, 1, 1], [0, 2, 2], [0, 1, 1]),
    ([Span(0, 4, "ORG"), Span(5, 10, "ORG")], [0, 2, 1], [0, 2, 1], [1, 3, 1], [1, 1, 0]),
    ([Span(0, 4, "ORG"), Span(0, 10, "LOC")], [0, 2, 1], [1, 1, 0], [2, 2, 0], [1, 1, 0]),
    ([], [0, 0, 1], [0, 0, 1], [0, 0, 2], [0, 0, 1]),
])
def test_one_entity_found_in_many_ways(
    found: list[Span], strict: list[int], exact: list[int], partial: list[int], typed: list[int]
) -> None:
    gold = [[Span(0, 10, "ORG")]]
    assert totals(strict_counts(gold, [found], NAMES)) == strict
    assert totals(exact_counts(gold, [found])) == exact
    assert totals(partial_counts(gold, [found])) == partial
    assert totals(type_counts(gold, [found], NAMES)) == typed


def test_a_span_given_twice_counts_once() -> None:
    gold, found = [[Span(0, 3, "PER")] * 2], [[Span(0, 3, "PER")] * 3]
    assert totals(strict_counts(gold, found, NAMES)) == [1, 0, 0]
    assert totals(exact_counts(gold, found)) == [1, 0, 0]
    assert totals(partial_counts(gold, found)) == [2, 0, 0]


def test_rows_stay_apart() -> None:
    gold = [[Span(0, 3, "PER")], [], [Span(0, 2, "LOC")]]
    found = [[], [Span(0, 3, "PER")], [Span(0, 2, "LOC")]]
    tp, fp, fn = strict_counts(gold, found, NAMES)
    assert tp.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert fp.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert fn.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_words_take_the_tag_of_the_first_span_that_overlaps_them() -> None:
    # "Bank of China's" cut inside a word; two spans in one word; one nested in another.
    text_words = [(0, 4), (5, 7), (8, 15), (16, 20)]
    assert bio_tags(text_words, [Span(0, 13, "ORG")]) == ["B-ORG", "I-ORG", "I-ORG", "O"]
    assert bio_tags(text_words, [Span(14, 20, "PER"), Span(8, 13, "LOC")]) == ["O", "O", "B-LOC", "B-PER"]
    assert bio_tags(text_words, [Span(8, 13, "LOC"), Span(0, 13, "ORG")]) == ["B-ORG", "I-ORG", "I-ORG", "O"]
    assert bio_tags(text_words, [Span(4, 5, "ORG")]) == ["O"] * 4


def test_a_label_outside_the_set_is_refused() -> None:
    with pytest.raises(KeyError, match="DATE"):
        strict_counts([[Span(0, 1, "DATE")]], [[]], NAMES)


def test_a_document_of_thousands_of_spans_is_counted_in_no_time() -> None:
    gold = [[Span(n * 10, n * 10 + 6, "PER") for n in range(20_000)]]
    found = [[Span(n * 10 + 3, n * 10 + 8, "PER") for n in range(20_000)]]
    assert totals(partial_counts(gold, found)) == [20_000] * 3
