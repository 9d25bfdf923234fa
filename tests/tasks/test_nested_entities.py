"""Nested entities: spans scored one by one, held against plain loops; words stay whole, windows meet, places hold."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Entities, Example, LabelSet, Span
from luthier.tasks import _pair_loss, _pairs
from luthier.tasks import nested_entities as task

LABELS = LabelSet(("LOC", "PER"), "token_classification")
SIZE = 2 * task.WIDTH


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return Encoder.load(tiny_model)


def plain_scores(logits: np.ndarray, real: np.ndarray, types: int) -> dict[tuple[int, int, int], float]:
    """Return the score of every span, one after the other: what ``_pairs`` computes fast."""
    width, found = (logits.shape[1] - 2 * types) // 2, {}
    for first in np.flatnonzero(real).tolist():
        for last in (place for place in np.flatnonzero(real).tolist() if place >= first):
            shared = 0.0
            for pair in range(width // 2):
                angle = 100.0 ** (-2 * pair / width)
                parts = []
                for place, side in ((first, 0), (last, width)):
                    number = complex(logits[place, side + pair], logits[place, side + width // 2 + pair])
                    parts.append(number * complex(math.cos(place * angle), math.sin(place * angle)))
                shared += (parts[0] * parts[1].conjugate()).real
            for kind in range(types):
                ends = logits[first, 2 * width + kind] + logits[last, 2 * width + types + kind]
                found[first, last, kind] = shared / math.sqrt(width) + float(ends)
    return found


def plain_loss(scores: dict[tuple[int, int, int], float], true: set[tuple[int, int, int]], types: int) -> float:
    each = [math.log(1 + sum(math.exp(s) for span, s in scores.items() if span[2] == kind and span not in true))
            + math.log(1 + sum(math.exp(-s) for span, s in scores.items() if span[2] == kind and span in true))
            for kind in range(types)]
    return sum(each) / types


@st.composite
def windows_of_numbers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Draw logits (T, 2 d + 2 C) with which tokens are real, and C."""
    tokens, types, half = draw(st.integers(1, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    logits = generator.normal(0, draw(st.sampled_from([0.5, 2.0])), (tokens, 4 * half + 2 * types))
    return logits.astype(np.float32), generator.random(tokens) < 0.8, types


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=windows_of_numbers(), longest=st.integers(1, 10), rows=st.sampled_from([2, 256]),
       cells=st.sampled_from([1, 1 << 20]))
def test_decoding_is_what_plain_loops_find(monkeypatch: pytest.MonkeyPatch, longest: int, rows: int, cells: int,
                                           case: tuple[np.ndarray, np.ndarray, int]) -> None:
    monkeypatch.setattr(_pairs, "ROWS", rows)
    monkeypatch.setattr(_pairs, "CELLS", cells)
    monkeypatch.setattr(_pairs, "ANSWERS", 99)
    logits, real, types = case
    number = np.cumsum(real)
    expected = {span: score for span, score in plain_scores(logits, real, types).items()
                if score > 1e-4 and number[span[1]] - number[span[0]] < longest}
    found = _pairs.above(logits, real, types, longest)
    given = dict(zip(map(tuple, found.spans.tolist()), found.scores.tolist(), strict=True))
    assert len(given) == len(found.spans)
    assert {span: given.get(span) for span in expected} == pytest.approx(expected, abs=1e-4)
    assert all(score < 2e-4 for span, score in given.items() if span not in expected)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=windows_of_numbers(), data=st.data(), cells=st.sampled_from([1, 1 << 20]))
def test_the_loss_is_what_plain_loops_sum(monkeypatch: pytest.MonkeyPatch, data: st.DataObject, cells: int,
                                          case: tuple[np.ndarray, np.ndarray, int]) -> None:
    import torch

    monkeypatch.setattr(_pairs, "CELLS", cells)
    monkeypatch.setattr(_pair_loss, "CELLS", cells)
    logits, real, types = case
    scores = plain_scores(logits, real, types)
    true = data.draw(st.sets(st.sampled_from(sorted(scores)))) if scores else set()
    expected = plain_loss(scores, true, types)
    spans = np.array(sorted(true), np.int64).reshape(-1, 3)
    assert _pairs.mean_loss(logits, real, spans, types) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    # Beside a longer row with more spans.
    width = len(real) + 2
    padded = np.concatenate([logits, np.ones((2, logits.shape[1]), np.float32)])
    marks = np.concatenate([real, [False, False]])
    filled = np.concatenate([spans, np.full((2, 3), -1)])
    given = torch.from_numpy(np.stack([padded, np.ones_like(padded)])).requires_grad_()
    losses = _pair_loss.pair_losses(given, torch.from_numpy(np.stack([marks, np.ones(width, bool)])),
                                    torch.from_numpy(np.stack([filled, filled * 0])), types)
    assert losses.shape == (2, types)
    assert losses[0].mean().item() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    losses.sum().backward()
    assert torch.isfinite(given.grad).all()


def test_types_in_groups_have_the_gradient_of_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((3, 7, 8 + 2 * 5), generator=generator)
    spans = torch.tensor([[[0, 3, 4], [1, 1, 0]], [[2, 6, 2], [-1, -1, -1]], [[-1, -1, -1], [-1, -1, -1]]])
    found = []
    for cells in (1 << 24, 1):
        monkeypatch.setattr(_pair_loss, "CELLS", cells)
        given = logits.clone().requires_grad_()
        losses = _pair_loss.pair_losses(given, torch.ones(3, 7, dtype=torch.bool), spans, 5)
        losses.sum().backward()
        found.append((losses.detach(), given.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)


def test_a_model_that_finds_everything_is_held_to_the_surest() -> None:
    logits = np.full((40, 4 + 2 * 3), 1, np.float32)
    logits[7, 4:] = 9
    found = _pairs.above(logits, np.ones(40, bool), 3, 40)
    assert len(found.spans) == _pairs.ANSWERS * 40
    assert {(7, 7, kind) for kind in range(3)} <= set(map(tuple, found.spans.tolist()))


def test_memory_does_not_grow_with_types_or_length() -> None:
    import tracemalloc

    tokens, types = 3000, 40
    logits = np.full((tokens, 4 + 2 * types), -1, np.float32)
    tracemalloc.start()
    found = _pairs.above(logits, np.ones(tokens, bool), types, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.spans) == 0
    assert peak < 40e6  # one score for each span and type would take 30 MB more


def saying(length: int, *spans: tuple[int, int, int], types: int = 2) -> np.ndarray:
    """Return logits (T, 2 d + 2 C) that say these spans (first, last, type), of each type one."""
    logits = np.zeros((length, SIZE + 2 * types), np.float32)
    logits[:, SIZE:] = -20
    for first, last, kind in spans:
        logits[first, SIZE + kind] = logits[last, SIZE + types + kind] = 9
    return logits


def decoded(encoder: Encoder, text: str, *spans: tuple[str, int], **options: bool | int) -> Entities:
    """Decode a text of which stretches are said to be of types."""
    ragged = encoder.encode_ragged([text], offsets=True)
    assert ragged.offsets is not None
    starts, ends = (ragged.offsets[0][:, side].tolist() for side in (0, 1))
    said = [(starts.index(text.index(words), 1), len(ends) - 1 - ends[::-1].index(text.index(words) + len(words)), kind)
            for words, kind in spans]
    (found,) = task.decode([saying(len(starts), *said)], ragged, [text], LABELS, task.Settings(**options))
    return found


def shown(found: Entities) -> list[tuple[str, str]]:
    return [(one.entity_group, one.word) for one in found.entities]


def test_entities_within_entities_come_by_place_the_longest_first(encoder: Encoder) -> None:
    text = "  很好 good  lovely, 讨厌"
    found = decoded(encoder, text, ("good  lovely", 1), ("good", 0))
    assert shown(found) == [("PER", "good  lovely"), ("LOC", "good")]
    assert found.label == "5-17 PER|5-9 LOC"
    assert all(text[one.start:one.end] == one.word and one.score > 0.99 for one in found.entities)
    assert shown(decoded(encoder, text, ("lovely, 讨", 1), ("good  lovely", 0))) == [
        ("LOC", "good  lovely"), ("PER", "lovely, 讨")]
    assert shown(decoded(encoder, text, ("good", 1), ("good", 0))) == [("LOC", "good"), ("PER", "good")]


def test_words_of_letters_are_never_cut(encoder: Encoder) -> None:
    text = "xylo is 东京塔"  # a word that the tokenizer spells out, and one that it has none of
    assert shown(decoded(encoder, text, ("xyl", 0), ("东京", 1))) == [("LOC", "xylo"), ("PER", "东京")]
    cut = decoded(encoder, text, ("xyl", 0), ("东京", 1), whole_words=False)
    assert shown(cut) == [("LOC", "xyl"), ("PER", "东京")]


def test_what_becomes_one_by_keeping_words_whole_has_the_best_score(encoder: Encoder) -> None:
    text = "xylo"
    ragged = encoder.encode_ragged([text], offsets=True)
    logits = saying(len(ragged.ids[0]), (1, 1, 0))
    logits[3, SIZE + 2] = 15  # a second and surer end
    (found,) = task.decode([logits], ragged, [text], LABELS, task.Settings())
    assert shown(found) == [("LOC", "xylo")]
    assert found.entities[0].score == pytest.approx(1 / (1 + math.exp(-24)), abs=1e-9)


def test_long_entities_are_not_looked_for(encoder: Encoder) -> None:
    text = "很 好 很 好"
    assert shown(decoded(encoder, text, (text, 0))) == [("LOC", text)]
    assert shown(decoded(encoder, text, (text, 0), max_entity_characters=7)) == [("LOC", text)]
    assert shown(decoded(encoder, text, (text, 0), max_entity_characters=6)) == []


def test_the_training_rows_tell_how_long_entities_are() -> None:
    rows = [Example("x:1", "good 100km very good", spans=(Span(0, 4, "PER"), Span(0, 10, "LOC"))), Example("x:2", "")]
    settled, told = task.settle(task.Settings(), rows, "model")
    assert settled.max_entity_characters == 15
    assert told[1:] == ["entities have up to 15 characters: half as many again as the longest of the training rows "
                        "(task.max_entity_characters)"]
    assert task.settle(task.Settings(max_entity_characters=3), rows, "model")[1] == told[:1]
    assert task.settle(task.Settings(), [], "model")[0].max_entity_characters == 2


def windows(rows: int = 7, shared: int = 4) -> tuple[str, Ragged]:
    """Return a text of ten words in two windows that share some tokens."""
    text = " ".join("abcdefghij")
    places = np.array([(2 * word, 2 * word + 1) for word in range(10)])
    special = np.zeros((1, 2), np.int64)
    parts = [places[:rows], places[rows - shared:]]
    offsets = [np.concatenate([special, part, special]) for part in parts]
    sequence = [np.array([-1, *[0] * len(part), -1]) for part in parts]
    return text, Ragged([[0] * len(part) for part in offsets], None, np.zeros(2, bool), offsets, sequence,
                        np.array([0, 0]), shared)


def in_windows(first: tuple[int, int, int] | None, second: tuple[int, int, int] | None) -> list[str]:
    text, ragged = windows()
    logits = [saying(9, *([said] if said else [])) for said in (first, second)]
    (found,) = task.decode(logits, ragged, [text], LABELS, task.Settings())
    return [one.word for one in found.entities]


def test_a_span_is_judged_by_the_window_in_which_it_stands_further_from_the_edge() -> None:
    # Windows a-g and d-j: d e stands at the edge of the second, f g at that of the first.
    assert in_windows((4, 5, 0), None) == ["d e"]
    assert in_windows(None, (1, 2, 0)) == []
    assert in_windows((6, 7, 0), None) == []
    assert in_windows(None, (3, 4, 0)) == ["f g"]
    assert in_windows((5, 6, 0), (2, 3, 0)) == ["e f"]  # as far in both, and once in the answer
    assert in_windows((2, 3, 0), (6, 7, 0)) == ["b c", "i j"]
    assert in_windows((1, 7, 0), (1, 7, 0)) == ["a b c d e f g", "d e f g h i j"]


def test_targets_are_the_spans_that_a_window_holds_whole() -> None:
    text, ragged = windows()
    spans = (Span(4, 15, "PER"), Span(6, 9, "LOC"), Span(6, 9, "PER"), Span(14, 15, "LOC"))  # c-h, d e twice, h
    found = task.targets([Example("x:1", text, spans=spans)], LABELS, ragged)
    assert [part.tolist() for part in found.spans] == [[[4, 5, 0], [4, 5, 1]], [[1, 2, 0], [1, 2, 1], [5, 5, 0]]]
    batch = found[np.array([0, 1])]
    assert batch.shape == (2, 9 + 9)
    assert batch[0].tolist() == [0, *[1] * 7, 0, 4, 5, 0, 4, 5, 1, -1, -1, -1]
    assert np.array_equal(found[0:1], batch[:1, :15])
    assert (len(found), found.counts(np.array([1]))) == (2, 1)


def test_metrics_count_spans_and_the_loss_is_that_of_tuning() -> None:
    import torch

    text, ragged = windows()
    row = Example("x:1", text, spans=(Span(0, 3, "PER"), Span(2, 3, "LOC")))
    targets = task.targets([row], LABELS, ragged)
    logits = [saying(9, (1, 2, 1), (4, 5, 0)), saying(9)]
    found = task.metrics(logits, targets, LABELS)
    # PER a b is right, LOC b is missed, LOC d e is too much; the second window has nothing and was given nothing.
    assert (found["precision_micro"], found["recall_micro"], found["accuracy"]) == (0.5, 0.5, 0.5)
    both, wanted = torch.from_numpy(np.stack(logits)), torch.from_numpy(targets[np.arange(2)])
    tuned = task.loss(both, wanted)
    assert found["loss"] == pytest.approx(tuned.mean().item(), rel=1e-5)
    weights = torch.zeros(SIZE + 4)
    weights[SIZE + 1] = 2.0  # PER
    assert task.loss(both, wanted, class_weights=weights)[0] < 0.1 < tuned[0]


def test_a_close_call_is_told() -> None:
    text, ragged = windows()
    sure, doubtful = [saying(9, (2, 3, 0)), saying(9)], [saying(9, (2, 3, 0)), saying(9)]
    doubtful[0][2, SIZE] = -8.98
    options = (ragged, [text], LABELS, task.Settings())
    assert task.firm(sure, *options, 0.05).tolist() == [True]
    assert task.firm(doubtful, *options, 0.05).tolist() == [False]


@settings(max_examples=60)
@given(seed=st.integers(0, 999), step=st.sampled_from([0.01, 0.1]))
@example(seed=55, step=0.1)  # more spans above 0 than are kept
def test_what_is_no_close_call_stays_when_outputs_move(seed: int, step: float) -> None:
    generator, real = np.random.default_rng(seed), np.ones(5, bool)
    logits = generator.normal(0, 1, (5, 8 + 4)).astype(np.float32)
    logits[:, 8:] += generator.choice([-4, 4], (5, 4))
    moved = (logits + generator.choice([-step, step], logits.shape)).astype(np.float32)
    if _pairs.closest(logits, real, 2, 5, step) > 0:
        before, after = (set(map(tuple, _pairs.above(one, real, 2, 5).spans.tolist())) for one in (logits, moved))
        assert before == after


WORDS = ("good", "bad", "很", "好", "xylo", "é", "👩‍👩‍👧", "，", "Ａ", "3.5", "\u200b", "e\u0301")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=10), drawn=st.data())
def test_spans_of_words_survive_the_way_through_tokens(encoder: Encoder, words: list[str],
                                                       drawn: st.DataObject) -> None:
    """Whatever a text holds, spans over whole words, one within the other, are found again where they stood."""
    text, places = "", []
    for word in words:
        text += drawn.draw(st.sampled_from([" ", "  ", "\u3000", "\n"]))
        places.append((len(text), len(text) + len(word)))
        text += word
    chosen = drawn.draw(st.sets(st.tuples(st.integers(0, len(words) - 1), st.integers(0, len(words) - 1))))
    visible = [number for number, word in enumerate(words) if word != "\u200b"]  # it has no token
    spans = {Span(places[first][0], places[last][1], label) for first, last in chosen for label in LABELS.names
             if first in visible and last in visible and first <= last}
    rows = [Example("x:1", text, spans=tuple(sorted(spans)))]
    ragged = encoder.encode_ragged([text], offsets=True)
    assert task.remarks(rows, ragged, task.targets(rows, LABELS, ragged), LABELS, task.Settings()) == []


def test_entities_that_no_answer_can_give_are_told(encoder: Encoder) -> None:
    text = "good 100km very good"
    rows = [Example("x:1", text, spans=(Span(0, 10, "PER"), Span(5, 8, "LOC"), Span(0, 20, "PER")))]
    ragged = encoder.encode_ragged([text], offsets=True)
    targets = task.targets(rows, LABELS, ragged)
    (told,) = task.remarks(rows, ragged, targets, LABELS, task.Settings())
    assert told.startswith("1 of 3 entities cannot be found as marked")
    assert "task.whole_words=false" in told
    assert "'100' at x:1" in told
    assert task.remarks(rows, ragged, targets, LABELS, task.Settings(whole_words=False)) == []
    (told,) = task.remarks(rows, ragged, targets, LABELS, task.Settings(whole_words=False, max_entity_characters=10))
    assert "longer than task.max_entity_characters=10" in told
    assert repr(text) in told


@pytest.mark.parametrize(("spans", "message"), [
    (None, "expected spans, got none"),
    ((Span(0, 2, "ORG"),), "entity type 'ORG' is not in the label set"),
])
def test_rows_that_cannot_be_learned_are_refused(encoder: Encoder, spans: tuple[Span, ...] | None, message: str,
                                                 ) -> None:
    row = Example("rows.jsonl:7", "some text", spans=spans)
    with pytest.raises(DataError, match="rows.jsonl:7") as refused:
        task.targets([row], LABELS, encoder.encode_ragged([row.text], offsets=True))
    assert message in str(refused.value)


def test_outputs_have_names_and_types_have_weights() -> None:
    names = task.outputs(LABELS).names
    assert names[0] == "query:0"
    assert names[task.WIDTH] == "key:0"
    assert names[SIZE:] == ("start:LOC", "start:PER", "end:LOC", "end:PER")
    assert len(set(names)) == len(names)
    assert all(one == other for one, other in pairwise(task.weighed(LABELS)[:SIZE]))


def test_a_new_head_begins_with_nothing_and_a_tuned_one_stays(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    built = task.build(tiny_model, LABELS)
    bias = built.model.classifier.bias.detach().numpy()
    begun = {(first, last): score for (first, last, _), score in plain_scores(
        np.tile(bias, (21, 1)), np.ones(21, bool), 2).items()}
    assert 0 > begun[0, 0] > begun[0, 1] > begun[0, 5] > begun[0, 20]
    assert begun[3, 8] == pytest.approx(begun[0, 5])
    with torch.no_grad():
        built.model.classifier.bias.fill_(3.0)
    built.model.save_pretrained(tmp_path)
    assert (task.build(tmp_path, LABELS).model.classifier.bias == 3.0).all()
