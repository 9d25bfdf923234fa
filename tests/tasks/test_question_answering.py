"""Question answering: targets, decoding against a search through all stretches, and what is settled by the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Example, GoldAnswer, LabelSet
from luthier.tasks import question_answering as task
from luthier.tasks._answers import best_spans, best_windows

LABELS = LabelSet(("answer",), "question_answering")
IGNORED = -100


def ragged_of(windows: list[tuple[list[int], list[tuple[int, int]]]], owners: list[int]) -> Ragged:
    """Return windows of (sequence, offsets)."""
    return Ragged([[0] * len(part) for part, _ in windows], None, np.zeros(len(windows), np.bool_),
                  [np.array(places, np.int64).reshape(-1, 2) for _, places in windows],
                  [np.array(part, np.int64) for part, _ in windows], np.array(owners, np.int64))


def window(words: str, first: int = 0) -> tuple[list[int], list[tuple[int, int]]]:
    """Return [CLS] q [SEP] and a token a word of a context that begins at ``first``."""
    places, at = [(0, 0), (0, 1), (0, 0)], first
    for word in words.split():
        places.append((at, at + len(word)))
        at += len(word) + 1
    return [-1, 0, -1, *[1] * len(words.split())], places


def logits(size: int, start: dict[int, float], end: dict[int, float]) -> Any:
    found = np.full((size, 2), -5, np.float32)
    for side, each in enumerate((start, end)):
        for place, value in each.items():
            found[place, side] = value
    return found


def brute(scores: Any, keep: Any, longest: int) -> tuple[float, int, int, float]:
    """Search through all stretches as transformers' pipeline scores them."""
    able = keep.copy()
    able[0] = True
    shares = []
    for side in (0, 1):
        wide = np.where(able, scores[:, side].astype(np.float64), -np.inf)
        powers = np.exp(wide - wide.max())
        shares.append(powers / powers.sum())
    size = len(keep)
    every = [(shares[0][s] * shares[1][e], s, e) for s in range(size) for e in range(s, min(s + longest, size))
             if keep[s] and keep[e]]
    best = max(every, default=(0.0, 0, 0))
    return *best, shares[0][0] * shares[1][0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_best_stretch_is_that_of_a_search_through_all(seed: int, longest: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 14, 5).tolist()
    scores = [(4 * random.normal(size=(size, 2))).astype(np.float32) for size in sizes]
    keep = [random.random(size) < 0.7 for size in sizes]
    for one in keep:
        one[0] = False
    found = best_spans(scores, keep, longest)
    owners = np.array([0, 0, 1, 2, 2])
    windows, null = best_windows(found, owners, 3)
    expected = [brute(one, real, longest) for one, real in zip(scores, keep, strict=True)]
    for row, (score, start, end, none) in enumerate(expected):
        assert np.exp(found.scores[row]) == pytest.approx(score)
        assert np.exp(found.null[row]) == pytest.approx(none)
        if score:
            assert (found.starts[row], found.ends[row]) == (start, end)
    for text in range(3):
        own = np.flatnonzero(owners == text)
        assert expected[windows[text]][0] == pytest.approx(max(expected[row][0] for row in own))
        assert np.exp(null[text]) == pytest.approx(min(expected[row][3] for row in own))


def test_many_windows_are_searched_in_blocks() -> None:
    random = np.random.default_rng(0)
    scores = [random.normal(size=(int(size), 2)).astype(np.float32) for size in random.integers(2, 30, 600)]
    keep = [np.arange(len(one)) > 0 for one in scores]
    together = best_spans(scores, keep, 5)
    for row in (0, 255, 256, 599):
        alone = best_spans([scores[row]], [keep[row]], 5)
        assert (alone.starts[0], alone.ends[0]) == (together.starts[row], together.ends[row])
        assert alone.scores[0] == pytest.approx(together.scores[row])


def test_targets_are_the_tokens_of_the_answer_or_the_first_of_all() -> None:
    context = "a bb ccc dd e"
    rows = [Example("x:1", "q", context, answers=(GoldAnswer("ccc dd", 5), GoldAnswer("a", 0)))]
    windows = ragged_of([window("a bb ccc"), window("bb ccc dd", 2), window("dd e", 9)], [0, 0, 0])
    found = task.targets(rows, LABELS, windows)
    assert [row.tolist() for row in found.rows] == [
        [3, IGNORED, IGNORED, 0, 0, 0], [0, IGNORED, IGNORED, 0, 1, 2], [3, IGNORED, IGNORED, 0, 0]]
    assert found.counts(np.array([0, 2])) == 2
    none = task.targets([replace(rows[0], answers=())], LABELS, windows)
    assert all(row[0] == 3 for row in none.rows)


@pytest.mark.parametrize(("row", "said"), [
    (Example("x:1", "q", "c"), "x:1: expected a question with a context and its answers"),
    (Example("x:1", "q", answers=()), "x:1: expected a question with a context"),
    (Example("x:1", "q", "c", answers=(GoldAnswer("d", None),)), "x:1: the answer 'd' stands nowhere in its context")])
def test_what_cannot_be_learned_is_refused(row: Example, said: str) -> None:
    with pytest.raises(DataError, match=said):
        task.targets([row], LABELS, ragged_of([window("c")], [0]))


def test_the_answer_is_cut_from_the_callers_own_text() -> None:
    context = "in Rome, 北京 1999"
    windows = ragged_of([([-1, 0, -1, 1, 1, 1, 1], [(0, 0), (0, 1), (0, 0), (0, 2), (3, 7), (9, 11), (12, 14)])], [0])
    (found,) = task.decode([logits(7, {4: 9}, {5: 9})], windows, [("q", context)], LABELS, task.Settings())
    assert (found.answer, found.start, found.end) == ("Rome, 北京", 3, 11)
    assert found.score > 0.99
    (found,) = task.decode([logits(7, {6: 9}, {6: 9})], windows, [("q", context)], LABELS, task.Settings())
    assert found.answer == "1999"  # the token is cut, the word is not
    apart = task.Settings(whole_words=False)
    assert task.decode([logits(7, {6: 9}, {6: 9})], windows, [("q", context)], LABELS, apart)[0].answer == "19"


def test_an_answer_never_goes_back_nor_on_too_long() -> None:
    windows, text = ragged_of([window("a b c d")], [0]), [("q", "a b c d")]
    back = logits(7, {6: 9, 3: 5}, {4: 9, 6: 4})
    assert task.decode([back], windows, text, LABELS, task.Settings())[0].answer == "a b"
    long = logits(7, {3: 9}, {6: 9})
    assert task.decode([long], windows, text, LABELS, task.Settings())[0].answer == "a b c d"
    assert len(task.decode([long], windows, text, LABELS, task.Settings(max_answer_tokens=2))[0].answer) <= 3


@pytest.mark.parametrize(("threshold", "answer"), [(0.0, ""), (1.9, ""), (2.1, "b"), (-3.0, "")])
def test_no_answer_wins_by_the_threshold(threshold: float, answer: str) -> None:
    windows = ragged_of([window("a b")], [0])
    scores = logits(5, {0: 5, 4: 4}, {0: 5, 4: 4})  # no answer lies 2 above "b"
    settings = task.Settings(unanswerable=True, null_threshold=threshold)
    (found,) = task.decode([scores], windows, [("q", "a b")], LABELS, settings)
    assert (found.answer, found.labels) == (answer, ("answer",) * bool(answer))
    assert task.decode([scores], windows, [("q", "a b")], LABELS, task.Settings())[0].answer == "b"


def test_one_window_that_sees_an_answer_is_enough() -> None:
    windows = ragged_of([window("a b"), window("c d", 4)], [0, 0])
    scores = [logits(5, {0: 9}, {0: 9}), logits(5, {3: 9}, {4: 9})]
    (found,) = task.decode(scores, windows, [("q", "a b c d")], LABELS, task.Settings(unanswerable=True))
    assert (found.answer, found.start) == ("c d", 4)


def test_an_empty_context_has_no_answer() -> None:
    (found,) = task.decode([np.zeros((3, 2), np.float32)], ragged_of([window("")], [0]), [("q", "")], LABELS,
                           task.Settings())
    assert (found.answer, found.start, found.end) == ("", 0, 0)


def test_a_close_call_is_not_firm() -> None:
    windows = ragged_of([window("a b"), window("a b")], [0, 1])
    scores = [logits(5, {3: 5, 4: 4.9}, {3: 5, 4: 4.9}), logits(5, {3: 9}, {3: 9})]
    texts = [("q", "a b")] * 2
    assert task.firm(scores, windows, texts, LABELS, task.Settings(), 0.2) == [False, True]
    empty = [logits(5, {0: 5, 3: 4.9}, {0: 5, 3: 4.9}), logits(5, {0: 9}, {0: 9})]
    assert task.firm(empty, windows, texts, LABELS, task.Settings(unanswerable=True), 0.2) == [False, True]


def test_overlap_is_counted_in_tokens() -> None:
    windows = ragged_of([window("a b c d"), window("a b c d")], [0, 1])
    rows = [Example("x:1", "q", "a b c d", answers=(GoldAnswer("b c", 2),)), Example("x:2", "q", "a b c d", answers=())]
    targets = task.targets(rows, LABELS, windows)
    found = task.metrics([logits(7, {4: 9}, {6: 9}), logits(7, {3: 9}, {3: 9})], targets, LABELS)
    assert found["f1"] == pytest.approx((0.8 + 0) / 2)
    assert found["accuracy"] == 0


@pytest.mark.slow
def test_the_loss_is_that_of_two_cross_entropies(tiny_model: Path) -> None:
    import torch

    rows = [Example("x:1", "q", "很好 of", answers=(GoldAnswer("很", 0),)), Example("x:2", "q", "很好", answers=())]
    ragged = Encoder.load(tiny_model).encode_ragged([row.text_input for row in rows], offsets=True)
    targets = torch.from_numpy(task.targets(rows, LABELS, ragged)[np.arange(2)])
    scores = torch.randn(*targets.shape, 2, generator=torch.Generator().manual_seed(0))
    found = task.loss(scores, targets)
    able = (targets != IGNORED)[0]
    place = int(able.nonzero()[1])
    expected = -sum(torch.log_softmax(scores[0, able, side], 0)[1] for side in (0, 1)) / 2
    assert targets[0, place] == 3
    assert found[0].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_rows_decide_whether_there_may_be_no_answer() -> None:
    full, empty = Example("x:1", "q", "c", answers=(GoldAnswer("c", 0),)), Example("x:2", "q", "c", answers=())
    settled, (told,) = task.settle(task.Settings(), [full, empty])
    assert settled.unanswerable is True
    assert "1 training questions have none" in told
    assert task.settle(task.Settings(), [full])[0].unanswerable is False
    asked = task.Settings(unanswerable=True)
    assert task.settle(asked, [full]) == (asked, [])


def test_answers_that_are_too_long_are_counted() -> None:
    words = "the tower was built by four hundred men"
    rows = [Example(str(number), "who", words, answers=(GoldAnswer(said, words.index(said)),))
            for number, said in enumerate(("four hundred men", "the tower", words))]
    ragged = ragged_of([window(words)] * 3, [0, 1, 2])
    targets = task.targets(rows, LABELS, ragged)
    said = task.remarks(rows, ragged, targets, LABELS, task.Settings(max_answer_tokens=2))
    assert said == ["2 of 3 train answers have more than 2 tokens, and none so long is ever given: "
                    "task.max_answer_tokens=8 allows all of them"]
    assert task.remarks(rows, ragged, targets, LABELS, task.Settings(max_answer_tokens=8)) == []
