"""Two passes of one model: what is learned of a text, which pairs are asked about, and how replies become triples."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.inference import following
from luthier.inference.following import follow_ups, followed
from luthier.models.encoding import Encoder, Reach
from luthier.schema import (
    Argument,
    Entity,
    Example,
    Extraction,
    LabelSet,
    Marked,
    Prediction,
    Span,
    TextInput,
    Triple,
)
from luthier.tasks import entities_and_relations as task
from luthier.tasks import named_entities, regression
from luthier.tasks._entity_pairs import Bounds, gap, learned_pairs, pairs_of, without_overlaps
from luthier.tasks._reach import excerpt
from luthier.tasks._tokens import IGNORED
from luthier.tasks._two_passes import MARKED, pair_logits, tag_count
from luthier.text import sentence_ends

LABELS = LabelSet(("lives_in", "works_in"), "joint_extraction", types=("LOC", "PER"))
TEXT = "Ann lives in Rome near Bob"
ANN, ROME, BOB = Span(0, 3, "PER"), Span(13, 17, "LOC"), Span(23, 26, "PER")
ROW = Example("x:1", TEXT, spans=(ANN, ROME, BOB), triples=(Triple(ANN, ROME, "lives_in"),))
ANY = Bounds(None, None, 1000)


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return Encoder.load(tiny_model, overlap=8)


def answer(*spans: Span, text: str = TEXT) -> Extraction:
    return Extraction(tuple(Entity(one.label, 0.9, text[one.start:one.end], one.start, one.end) for one in spans))


def reply(number: int) -> Prediction:
    """Return what a pair says: none, or a relation by its number from 1."""
    shares = np.array([0.1, 0.1], np.float32)
    shares[number - 1:number] = 0.8
    return Prediction((LABELS.names[number - 1],) if number else (), LABELS.names, shares)


def test_its_outputs_are_tags_then_none_and_relations_for_each_mark() -> None:
    assert task.outputs(LABELS).names == (
        "O", "B-LOC", "I-LOC", "B-PER", "I-PER", "no-subject", "subject:lives_in", "subject:works_in", "no-object",
        "object:lives_in", "object:works_in")
    assert task.weighed(LABELS) == ("",) * 6 + ("lives_in", "works_in", "", "lives_in", "works_in")
    same = LabelSet(("O", "no-subject"), "joint_extraction", types=("subject", "O"))
    assert len(set(task.outputs(same).names)) == 5 + 6


def test_the_training_rows_decide_which_pairs_are_looked_at() -> None:
    settings, told = task.settle(task.Settings(), [ROW], "any")
    assert settings.patterns == (("PER", "lives_in", "LOC"),)
    assert settings.max_distance == 15  # 10 characters, and half as many again
    assert (settings.window_characters, settings.window_sentences) == (len(TEXT), 1)
    assert "windows hold up to 26 characters and 1 sentence, as training rows do" in told[-1]
    assert "may have 1 patterns, those of the training rows (task.patterns): PER lives_in LOC" in told[0]
    assert "up to 15 characters stand between" in told[1]
    given = task.Settings(patterns=(("LOC", "lives_in", "PER"),), max_distance=3, max_sentence_ends=1,
                          window_characters=9, window_sentences=2)
    assert task.settle(given, [ROW], "any") == (given, [])


def test_a_row_is_learned_as_its_text_and_as_its_pairs() -> None:
    settings, _ = task.settle(task.Settings(), [ROW], "any")
    first, *pairs = task.taught([ROW], settings)
    assert first is ROW
    assert [(row.text_input, row.labels) for row in pairs] == [
        (Marked(TEXT, Argument(0, 3, "PER"), Argument(13, 17, "LOC")), ("lives_in",)),
        (Marked(TEXT, Argument(23, 26, "PER"), Argument(13, 17, "LOC")), ())]
    assert len({row.id for row in pairs}) == 2
    assert [row.labels for row in task.taught([ROW], settings.model_copy(update={"negatives": 0}))[1:]] == [
        ("lives_in",)]


def test_pairs_without_a_relation_are_sampled_the_same_each_time_and_bounded() -> None:
    spans = tuple(Span(4 * n, 4 * n + 3, "PER") for n in range(30))
    row = Example("x:2", "Ann " * 30, spans=spans, triples=(Triple(spans[0], spans[29], "r"),))
    drawn = learned_pairs(row, ANY, 20)
    assert [len(one.labels or ()) for one in drawn].count(1) == 1
    assert len(drawn) == 21
    assert drawn == learned_pairs(row, ANY, 20)
    assert drawn != learned_pairs(replace(row, id="x:3"), ANY, 20)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from("ab")), max_size=9),
       st.none() | st.integers(0, 40), st.integers(1, 30))
def test_pairs_are_those_that_a_plain_search_finds(marks: list[tuple[int, int, str]], apart: int | None,
                                                   most: int) -> None:
    spans = sorted({Span(start, start + size, kind) for start, size, kind in marks})
    bounds = Bounds({("a", "b"), ("b", "b")}, apart, most)
    every = [(gap(spans[one], spans[other]), one, other) for one, other in permutations(range(len(spans)), 2)
             if (spans[one].label, spans[other].label) in (("a", "b"), ("b", "b"))
             and (spans[one].start, spans[one].end) != (spans[other].start, spans[other].end)
             and (apart is None or gap(spans[one], spans[other]) <= apart)]
    found, cut = pairs_of("", spans, bounds)
    assert found == sorted((one, other) for _, one, other in sorted(every)[:most])
    assert cut == (len(every) > most)


def test_overlapping_entities_are_tagged_by_the_first_and_longest() -> None:
    spans = (Span(0, 3, "a"), Span(0, 5, "b"), Span(4, 8, "a"), Span(8, 9, "b"))
    assert without_overlaps(spans) == (Span(0, 5, "b"), Span(8, 9, "b"))


def test_targets_are_tags_of_texts_and_outputs_at_marks(encoder: Encoder) -> None:
    rows = task.taught([ROW], task.Settings(patterns=(("PER", "lives_in", "LOC"),)))
    ragged = encoder.encode_ragged([row.text_input for row in rows], offsets=True)
    targets = task.targets(rows, LABELS, ragged)
    plain = named_entities.targets([ROW], LabelSet(LABELS.types, "token_classification"),
                                   encoder.encode_ragged([TEXT], offsets=True))
    assert np.array_equal(targets.rows[0], plain.rows[0])
    told = [[int(one) - MARKED for one in row if one != IGNORED] for row in targets.rows[1:]]
    assert told == [[6, 9], [8, 5]]  # subject:lives_in, object:lives_in; no-object stands before no-subject
    assert targets.counts(np.arange(3)) == int((targets.rows[0] != IGNORED).sum()) + 4
    with pytest.raises(DataError, match=r"relation 'sees' is not in the label set"):
        task.targets([replace(rows[1], labels=("sees",))], LABELS,
                     encoder.encode_ragged([rows[1].text_input], offsets=True))
    with pytest.raises(DataError, match="x:1: expected spans, got none"):
        task.targets([replace(ROW, spans=None)], LABELS, encoder.encode_ragged([TEXT], offsets=True))


def test_rows_of_both_kinds_are_decoded_together_as_alone(encoder: Encoder) -> None:
    pair = Marked(TEXT, Argument(0, 3, "PER"), Argument(13, 17, "LOC"))
    texts = [pair, TEXT, Marked("很好" * 60 + "Bob", Argument(0, 2), Argument(120, 123)), "", "很" * 90, pair]
    ragged = encoder.encode_ragged(texts, offsets=True)
    random = np.random.default_rng(0)
    logits = [random.normal(size=(len(row), 11)).astype(np.float32) for row in ragged.ids]
    found = task.decode(logits, ragged, texts, LABELS, task.Settings())
    assert [type(one) for one in found] == [Prediction, Extraction, Prediction, Extraction, Extraction, Prediction]
    sure = task.firm(logits, ragged, texts, LABELS, task.Settings(), 0.01)
    for number, text in enumerate(texts):
        alone = encoder.encode_ragged([text], offsets=True)
        own = [scores for scores, owner in zip(logits, ragged.owners.tolist(), strict=True) if owner == number]
        assert task.decode(own, alone, [text], LABELS, task.Settings())[0].to_dict() == found[number].to_dict()
        assert task.firm(own, alone, [text], LABELS, task.Settings(), 0.01) == sure[number]
    assert np.flatnonzero(task.firm(logits, ragged, texts, LABELS, task.Settings(), 99.0)).tolist() == [3]  # no token


def test_a_pair_says_the_mean_of_its_two_marks(encoder: Encoder) -> None:
    pair = Marked("Ann Bob", Argument(0, 3), Argument(4, 7))
    ragged = encoder.encode_ragged([pair], offsets=True)
    tokens = [encoder.text_of([one]) for one in ragged.ids[0]]
    logits = np.full((len(tokens), 11), 99, np.float32)  # what stands elsewhere must not count
    logits[tokens.index("@"), 5:8], logits[tokens.index("#"), 8:] = (1, 2, 3), (3, 0, 1)
    assert pair_logits([logits], ragged, [pair], LABELS).tolist() == [[2, 1, 2]]
    assert tag_count(LABELS) == 5


def test_what_is_asked_again_and_what_the_replies_become() -> None:
    settings = task.Settings(patterns=(("PER", "lives_in", "LOC"),))
    answers = [answer(ANN, ROME, BOB), answer(), answer(ANN, ROME)]
    asked = task.follow_up(answers, [TEXT] * 3, settings)
    assert asked == [Marked(TEXT, Argument(one.start, one.end, "PER"), Argument(13, 17, "LOC"))
                     for one in (ANN, BOB, ANN)]
    found = task.combined(answers, [TEXT] * 3, [reply(1), reply(0), reply(2)], settings)
    assert [one.triples for one in found] == [(Triple(ANN, ROME, "lives_in"),), (), (Triple(ANN, ROME, "works_in"),)]
    assert found[0].relations[0].score == pytest.approx(0.8)
    assert found[0].to_dict()["relations"] == [{"label": "lives_in", "score": 0.8, "subject": 0, "object": 1}]
    assert found[0].label == "0-3 PER|13-17 LOC|23-26 PER|0 lives_in 1"
    assert found[0].labels == ("PER", "LOC", "PER", "lives_in")
    few = task.combined([answer(ANN, ROME, BOB)], [TEXT], [reply(2)], settings.model_copy(update={"max_pairs": 1}))
    assert (few[0].truncated, few[0].triples) == (True, (Triple(BOB, ROME, "works_in"),))  # the nearer one


def test_of_a_long_text_as_much_is_read_around_a_pair_as_in_training() -> None:
    text = f"It rains. {TEXT}. It is late. And cold."
    spans = [Span(one.start + 10, one.end + 10, one.label) for one in (ANN, ROME)]
    patterns = (("PER", "lives_in", "LOC"),)
    for characters, sentences, shown in ((30, 1, f"{TEXT}."), (300, 2, f"{TEXT}. It is late."), (1, 1, f"{TEXT}."),
                                         (300, 3, f"{TEXT}. It is late. And cold."), (300, 4, text)):
        settings = task.Settings(patterns=patterns, window_characters=characters, window_sentences=sentences)
        (asked,) = task.follow_up([answer(*spans, text=text)], [text], settings)
        assert isinstance(asked, Marked)
        assert asked.text == shown
        assert [asked.text[one.start:one.end] for one in (asked.head, asked.tail)] == ["Ann", "Rome"]
    (asked,) = task.follow_up([answer(*spans, text=text)], [text], task.Settings(patterns=patterns))
    assert asked == Marked(text, *(Argument(one.start, one.end, one.label) for one in spans))  # as bundles before


def test_pairs_are_learned_in_the_text_in_which_they_are_asked_about() -> None:
    text = f"It rains. {TEXT}. It is late. And cold."
    spans = tuple(Span(one.start + 10, one.end + 10, one.label) for one in (ANN, ROME))
    row = Example("x:1", text, spans=spans, triples=(Triple(*spans, "lives_in"),))
    for sentences in (1, 2, 9, None):
        settings = task.Settings(patterns=(("PER", "lives_in", "LOC"),), window_sentences=sentences)
        asked = task.follow_up([answer(*spans, text=text)], [text], settings)
        _, learned = task.taught([row], settings)
        assert (learned.text_input, learned.labels) == (asked[0], ("lives_in",))
        assert learned.id == "x:1:" + ",".join(f"{one.start}-{one.end}" for one in spans)


@given(st.lists(st.sampled_from(["Ann came. ", "王芳来了。", "no end ", "a\n", "x"]), min_size=1, max_size=12),
       st.data())
def test_what_is_read_around_a_pair_holds_it_and_no_more_than_it_may(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    reach = Reach(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 5)))
    ends = sentence_ends(text)
    first, behind = excerpt(text, ends, start, end, reach)
    assert 0 <= first <= start < end <= behind <= len(text)
    own = [place for place in ends if start < place < end]
    inner = [place for place in ends if first < place < behind]
    assert len(inner) + 1 <= max(reach.sentences, len(own) + 1)
    if len(text.strip()) <= reach.characters and len(ends) < reach.sentences:
        assert (first, behind) == (0, len(text))


def test_no_pair_crosses_more_ends_of_sentences_than_one_of_the_training_rows() -> None:
    text = "Ann left. Bob stayed in Rome. Ann lives in Rome."
    spans = [Span(*place) for place in ((0, 3, "PER"), (10, 13, "PER"), (24, 28, "LOC"), (30, 33, "PER"),
                                        (43, 47, "LOC"))]

    def asked(settings: task.Settings) -> list[tuple[int, int]]:
        found = task.follow_up([answer(*spans, text=text)], [text], settings)
        whole = task.combined([answer(*spans, text=text)], [text], [reply(1)] * len(found), settings)
        return [(one.subject, one.object) for one in whole[0].relations]

    patterns = (("PER", "lives_in", "LOC"),)
    assert len(asked(task.Settings(patterns=patterns))) == 6  # as bundles before
    assert asked(task.Settings(patterns=patterns, max_sentence_ends=0)) == [(1, 2), (3, 4)]
    assert asked(task.Settings(patterns=patterns, max_sentence_ends=1)) == [(0, 2), (1, 2), (1, 4), (3, 2), (3, 4)]
    rows = [Example("x:1", text, spans=tuple(spans), triples=(Triple(spans[1], spans[2], "lives_in"),)),
            Example("x:2", text, spans=tuple(spans), triples=())]
    settled, told = task.settle(task.Settings(), rows, "m")
    assert settled.max_sentence_ends == 0
    assert any(line.startswith("subject and object stand in one sentence, as in the training rows") for line in told)
    rows[1] = replace(rows[1], triples=(Triple(spans[0], spans[4], "lives_in"),))
    settled, told = task.settle(task.Settings(), rows, "m")
    assert settled.max_sentence_ends == 2
    assert any(line.startswith("up to 2 ends of sentences stand between them") for line in told)


def test_relations_are_told_between_such_types_as_in_training(encoder: Encoder) -> None:
    pairs = [Marked("Ann Bob", Argument(0, 3, one), Argument(4, 7, other))
             for one, other in (("PER", "LOC"), ("LOC", "PER"), (None, None))]
    ragged = encoder.encode_ragged(pairs, offsets=True)
    logits = [np.tile(np.float32([0] * 5 + [0, 1, 9] * 2), (len(row), 1)) for row in ragged.ids]
    settings = task.Settings(patterns=(("PER", "lives_in", "LOC"),))
    found = task.decode(logits, ragged, pairs, LABELS, settings)
    assert [one.label for one in found] == ["lives_in", "works_in", "works_in"]  # of other types nothing is known
    assert found[0].probabilities.tolist() == pytest.approx([np.e / (1 + np.e), 0.0])
    assert task.firm(logits, ragged, pairs, LABELS, settings, 1.5).tolist() == [False, True, True]
    assert {one.label for one in task.decode(logits, ragged, pairs, LABELS, task.Settings())} == {"works_in"}


def test_a_task_that_asks_once_is_not_asked_again() -> None:
    class Once:
        task, task_settings = regression, None

    assert follow_ups(Once(), ["an answer"], ["a text"]) == []  # type: ignore[arg-type]  # no more is needed
    assert followed(Once(), ["an answer"], ["a text"]) == ["an answer"]  # type: ignore[arg-type]


def test_pairs_of_a_text_that_nobody_waits_for_are_read_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Always:
        """Finds that the first relation holds between any two."""

        task_settings = task.Settings(patterns=(("PER", "lives_in", "LOC"), ("LOC", "lives_in", "PER")))

        def __init__(self) -> None:
            self.task, self.read = task, list[list[TextInput]]()

        def encode(self, texts: list[TextInput]) -> list[TextInput]:
            self.read.append(texts)
            return texts

        def compute(self, ragged: list[TextInput]) -> list[TextInput]:
            return ragged

        def decode(self, logits: list[TextInput], _ragged: object, _texts: object) -> list[Prediction]:
            return [reply(1)] * len(logits)

    answers, texts = [answer(ANN, ROME, BOB), answer(), answer(ROME, BOB)], [TEXT, "nobody", TEXT]
    whole = followed(Always(), answers, texts)  # type: ignore[arg-type]  # no more is needed
    assert [len(one.relations) for one in whole] == [4, 0, 2]
    monkeypatch.setattr(following, "LOOKED", 2)
    patient, gone = Always(), Always()
    assert followed(patient, answers, texts, lambda _: False) == whole  # type: ignore[arg-type]
    assert [len(rows) for rows in patient.read] == [2, 2, 2]
    found = followed(gone, answers, texts, lambda row: row == 0 and bool(gone.read))  # type: ignore[arg-type]
    assert found == [answers[0], *whole[1:]]
    assert [len(rows) for rows in gone.read] == [2, 2]


def test_remarks_tell_what_cannot_be_found(encoder: Encoder) -> None:
    within, twice = Span(0, 2, "PER"), Triple(ANN, ROME, "works_in")
    rows = [ROW, Example("x:2", TEXT, spans=(within, ANN, ROME), triples=(
        Triple(within, ROME, "lives_in"), Triple(ANN, ROME, "lives_in"), twice))]
    settings = task.Settings(patterns=(("PER", "lives_in", "LOC"),))
    learned = task.taught(rows, settings)
    ragged = encoder.encode_ragged([row.text_input for row in learned], offsets=True)
    told = task.remarks(learned, ragged, task.targets(learned, LABELS, ragged), LABELS, settings)
    assert told[0] == ("5 pairs of entities are learned beside 2 texts, 1 of them without a relation (task.negatives)")
    assert told[1].startswith("1 of 6 entities cannot be found as marked, and so 1 of 4 triples: they begin or end "
                              "within a word or a token, or overlap another: 'An' at x:2")
    assert told[2] == "1 of 4 triples share subject and object with another, and one relation is told of a pair"


def test_validation_takes_both_passes_into_account(encoder: Encoder) -> None:
    rows = task.taught([ROW], task.Settings(patterns=(("PER", "lives_in", "LOC"),)))
    ragged = encoder.encode_ragged([row.text_input for row in rows], offsets=True)
    targets = task.targets(rows, LABELS, ragged)
    right = [9 * np.eye(11, dtype=np.float32)[np.maximum(row, 0) % MARKED] for row in targets.rows]
    assert task.metrics(right, targets, LABELS)["joint_f1"] == 1.0
    silent = [*right[:1], *[9 * np.eye(11, dtype=np.float32)[[5] * len(row)] for row in targets.rows[1:]]]
    found = task.metrics(silent, targets, LABELS)
    assert (found["entity_f1"], found["relation_f1"], found["joint_f1"], found["accuracy"]) == (1.0, 0.0, 0.0, 1.0)
    only = task.targets([ROW], LABELS, encoder.encode_ragged([TEXT], offsets=True))
    assert task.metrics(right[:1], only, LABELS)["relation_f1"] == 0.0
