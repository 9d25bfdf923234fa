"""Reading entities off the logits of tokens: words stay whole, windows meet, offsets are those of the caller's text."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Entities, Entity, Example, LabelSet, Span
from luthier.tasks import named_entities as task
from luthier.tasks._words import widened, within_word

LABELS = LabelSet(("LOC", "PER"), "token_classification")


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return Encoder.load(tiny_model)


def logits_of(rows: list[list[int]], sure: float = 9.0) -> list[np.ndarray]:
    """Return logits that say these tags (O, B-LOC, I-LOC, B-PER, I-PER)."""
    return [sure * np.eye(5, dtype=np.float32)[row] for row in rows]


def decoded(encoder: Encoder, text: str, tags: dict[str, int], **options: bool) -> Entities:
    """Decode a text whose tokens have the tags given by what they show; all others are O."""
    ragged = encoder.encode_ragged([text], offsets=True)
    assert ragged.offsets is not None
    rows = [[tags.get(text[start:end], 0) for start, end in ragged.offsets[0]]]
    (found,) = task.decode(logits_of(rows), ragged, [text], LABELS, task.Settings(**options))
    return found


def test_entities_stand_where_the_caller_wrote_them(encoder: Encoder) -> None:
    text = "  很好 good  lovely, 讨厌"
    found = decoded(encoder, text, {"good": 3, "lovely": 4, "讨": 1, "厌": 2})
    assert [(one.entity_group, one.word, text[one.start : one.end]) for one in found.entities] == [
        ("PER", "good  lovely", "good  lovely"), ("LOC", "讨厌", "讨厌")]
    assert found.label == "5-17 PER|19-21 LOC"
    assert 0.99 < found.entities[0].score < 1
    assert not found.truncated


def test_words_of_letters_are_never_cut(encoder: Encoder) -> None:
    text = "xylo is 东京塔"  # a word that the tokenizer spells out, and one that it has none of
    tags = {"x": 1, "y": 2, "l": 2, "o": 0, "东": 3, "京": 4}
    assert [one.word for one in decoded(encoder, text, tags).entities] == ["xylo", "东京"]
    cut = decoded(encoder, text, tags, whole_words=False).entities
    assert [one.word for one in cut] == ["xyl", "东京"]


def test_a_word_takes_the_tag_that_most_of_it_speaks_for(encoder: Encoder) -> None:
    assert decoded(encoder, "xylo", {"x": 1}).entities == ()


@pytest.mark.parametrize(("left", "right", "same"), [
    ("a", "b", True), ("a", "1", True), ("é", "b", True), ("a", "-", False), (".", "5", False), ("东", "京", False),
    ("a", "京", False), ("서", "울", False), ("ก", "ข", False), ("а", "б", True), ("ا", "ب", True),
])
def test_what_stands_in_one_word(left: str, right: str, same: bool) -> None:
    assert within_word(left + right, len(left)) is same


@pytest.mark.parametrize(("text", "word"), [
    ("Jose\u0301s came", "Jose\u0301s"), ("काम करो", "काम"), ("Zoe\u0308 1", "Zoe\u0308"),
    ("a\u0301\u0302b", "a\u0301\u0302b"),
])
def test_marks_belong_to_the_word_of_what_they_follow(text: str, word: str) -> None:
    assert all(widened(text, 0, end) == (0, len(word)) for end in range(1, len(word) + 1))
    assert widened(text, len(word) - 1, len(word)) == (0, len(word))


def windows(rows: int = 7, shared: int = 4) -> tuple[str, Ragged]:
    """Return a text of ten words in two windows that share some tokens."""
    text = " ".join("abcdefghij")
    places = np.array([(2 * word, 2 * word + 1) for word in range(10)])
    special = np.zeros((1, 2), np.int64)
    parts = [places[:rows], places[rows - shared :]]
    offsets = [np.concatenate([special, part, special]) for part in parts]
    ids = [[0] * len(part) for part in offsets]
    sequence = [np.array([-1, *[0] * len(part), -1]) for part in parts]
    return text, Ragged(ids, None, np.zeros(2, bool), offsets, sequence, np.array([0, 0]), shared)


def test_each_token_is_taken_from_the_window_in_which_it_stands_further_from_the_edge() -> None:
    text, ragged = windows()
    # Windows a-g and d-j: a to e are taken from the first, f to j from the second.
    everywhere, nowhere = [3] * 9, [0] * 9
    for tags, words in (([everywhere, nowhere], "abcde"), ([nowhere, everywhere], "fghij")):
        (found,) = task.decode(logits_of(tags), ragged, [text], LABELS, task.Settings())
        assert "".join(one.word for one in found.entities) == words


def test_an_entity_across_two_windows_is_one() -> None:
    text, ragged = windows()
    tags = [[0, 0, 0, 1, 2, 2, 2, 2, 0], [0, 2, 2, 2, 2, 2, 0, 0, 0]]
    (found,) = task.decode(logits_of(tags), ragged, [text], LABELS, task.Settings())
    assert [one.word for one in found.entities] == ["c d e f g h"]


def test_targets_are_those_of_each_window() -> None:
    text, ragged = windows()
    row = Example("x:1", text, spans=(Span(4, 15, "PER"),))
    found = task.targets([row], LABELS, ragged)
    first, second = (part.tolist() for part in found.rows)
    assert first == [-100, 0, 0, 3, 4, 4, 4, 4, -100]
    assert second == [-100, 4, 4, 4, 4, 4, 0, 0, -100]
    assert found[np.array([1, 0])].shape == (2, 9)
    assert found.counts(np.array([0])) == 7


WORDS = ("good", "bad", "很", "好", "xylo", "é", "👩‍👩‍👧", "，", "Ａ", "3.5", "\u200b", "e\u0301")
PIECES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=PIECES, gaps=st.data())
def test_spans_of_words_survive_the_way_through_tokens(encoder: Encoder, words: list[str], gaps: st.DataObject) -> None:
    """Whatever a text holds, spans over whole words are found again where they stood."""
    chosen = gaps.draw(st.lists(st.sampled_from([None, "LOC", "PER"]), min_size=len(words), max_size=len(words)))
    text, spans = "", []
    for word, label in zip(words, chosen, strict=True):
        text += gaps.draw(st.sampled_from([" ", "  ", "\u3000", "\n"]))
        if label:
            spans.append(Span(len(text), len(text) + len(word), label))
        text += word
    ragged = encoder.encode_ragged([text], offsets=True)
    targets = task.targets([Example("x:1", text, spans=tuple(spans))], LABELS, ragged)
    sure = logits_of([np.maximum(row, 0).tolist() for row in targets.rows])
    (found,) = task.decode(sure, ragged, [text], LABELS, task.Settings())
    seen = [span for span in spans if text[span.start : span.end] != "\u200b"]  # it has no token
    assert [(one.entity_group, one.word) for one in found.entities] == [
        (span.label, text[span.start : span.end]) for span in seen]
    assert all(one.word == text[one.start : one.end] for one in found.entities)


@pytest.mark.parametrize(("spans", "message"), [
    (None, "expected spans, got none"),
    ((Span(0, 2, "ORG"),), "entity type 'ORG' is not in the label set"),
    ((Span(0, 4, "PER"), Span(2, 6, "LOC")), "PER 0-4 and LOC 2-6 overlap, which one tag a token cannot say"),
])
def test_rows_that_cannot_be_learned_are_refused(encoder: Encoder, spans: tuple[Span, ...] | None, message: str,
                                                 ) -> None:
    row = Example("rows.jsonl:7", "some text", spans=spans)
    with pytest.raises(DataError, match="rows.jsonl:7") as refused:
        task.targets([row], LABELS, encoder.encode_ragged([row.text], offsets=True))
    assert message in str(refused.value)
    assert ("--task nested-entities" in str(refused.value)) == ("overlap" in message)


def test_knowing_the_targets_of_windows_is_enough_to_be_right() -> None:
    text, ragged = windows()
    for span in (Span(4, 15, "PER"), Span(0, 19, "LOC"), Span(6, 7, "PER"), Span(12, 15, "LOC")):
        targets = task.targets([Example("x:1", text, spans=(span,))], LABELS, ragged)
        sure = logits_of([np.maximum(row, 0).tolist() for row in targets.rows])
        assert task.metrics(sure, targets, LABELS)["f1_micro"] == 1
        (found,) = task.decode(sure, ragged, [text], LABELS, task.Settings())
        assert [one.span for one in found.entities] == [span]


@pytest.mark.parametrize("whole_words", [True, False])
def test_tokens_of_one_character_are_one_unit(whole_words: bool) -> None:
    text, places = "x㈱", np.array([(0, 0), (0, 1), (1, 2), (1, 2), (1, 2), (0, 0)])
    ragged = Ragged([[0] * 6], None, np.zeros(1, bool), [places], [np.array([-1, 0, 0, 0, 0, -1])])
    for tags in ([0, 0, 1, 3, 1, 0], [0, 0, 0, 3, 0, 0], [0, 1, 3, 0, 3, 0]):
        (found,) = task.decode(logits_of([tags]), ragged, [text], LABELS, task.Settings(whole_words=whole_words))
        spans = [one.span for one in found.entities]
        assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


def test_entities_that_no_answer_can_give_are_told(encoder: Encoder) -> None:
    rows = [Example("x:1", "good 100km", spans=(Span(5, 8, "LOC"), Span(0, 4, "PER")))]
    ragged = encoder.encode_ragged([row.text for row in rows], offsets=True)
    targets = task.targets(rows, LABELS, ragged)
    (told,) = task.remarks(rows, ragged, targets, LABELS, task.Settings())
    assert told.startswith("1 of 2 entities begin or end within a word or a token")
    assert "task.whole_words=false" in told
    assert "'100' at x:1" in told
    assert task.remarks(rows, ragged, targets, LABELS, task.Settings(whole_words=False)) == []
    many = [replace(rows[0], id=f"x:{n}", spans=rows[0].spans if n % 300 == 299 else ()) for n in range(600)]
    ragged = encoder.encode_ragged([row.text for row in many], offsets=True)
    (told,) = task.remarks(many, ragged, task.targets(many, LABELS, ragged), LABELS, task.Settings())
    assert told.startswith("2 of 4 entities")  # more rows than are read at once
    assert "'100' at x:299" in told


def test_metrics_count_spans() -> None:
    text, ragged = windows()
    targets = task.targets([Example("x:1", text, spans=(Span(0, 3, "PER"), Span(6, 7, "LOC")))], LABELS, ragged)
    said = [[0, 3, 4, 0, 3, 0, 0, 0, 0], [0] * 9]
    found = task.metrics(logits_of(said), targets, LABELS)
    # PER a b is right, LOC d is said to be PER; d counts once, though two windows hold it.
    assert (found["precision_micro"], found["recall_micro"]) == (0.5, 0.5)
    assert found["accuracy"] == 0.9


def test_an_answer_has_the_shape_of_a_pipelines() -> None:
    answer = Entities((Entity("PER", 0.123456789, "Ann", 0, 3),), True)
    assert answer.to_dict() == {"entities": [{"entity_group": "PER", "score": 0.123457, "word": "Ann", "start": 0,
                                              "end": 3}], "truncated": True}
