"""Relations: scores as the official scorer counts them, targets and decoding at the marks, windows around a pair."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.data.cells.relation_names import negative_of, relation_of
from luthier.errors import DataError
from luthier.models._frames import around
from luthier.models.encoding import Encoder, Ragged
from luthier.schema import Argument, Example, LabelSet, Marked, TextInput
from luthier.tasks import averages, relations
from luthier.tasks._mark_bits import mark_bits
from luthier.tasks._relations import has_directions, relation_outcomes, relations_of

LABELS = LabelSet(("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other", "Part-Whole(e1,e2)", "Part-Whole(e2,e1)"),
                  "relation_classification", negative="Other")
FLAT = LabelSet(("born_in", "no_relation", "works_for"), "relation_classification", negative="no_relation")


@pytest.mark.parametrize(("names", "negative"), [
    (("Cause-Effect(e1,e2)", "Other"), "Other"), (("org:founded", "no_relation"), "no_relation"),
    (("NA", "/people/person"), "NA"), (("无关系", "父母"), "无关系"), (("other", "NA"), "NA"),
    (("no_relation", "other"), "no_relation"), (("a", "b"), None),
])
def test_the_negative_label_is_known_by_its_name(names: tuple[str, ...], negative: str | None) -> None:
    assert negative_of(names) == negative


def test_directions_are_read_off_the_names() -> None:
    assert [relation_of(name) for name in ("A-B(e1,e2)", "A-B (e2, e1)", "A-B(e1,e1)", "(e1,e2)", "per:age")] == [
        "A-B", "A-B", "A-B(e1,e1)", "(e1,e2)", "per:age"]
    assert relations_of(LABELS)[0] == ("Cause-Effect", "Part-Whole")
    assert relations_of(LABELS)[1].tolist() == [0, 0, -1, 1, 1]
    assert relations_of(FLAT)[0] == ("born_in", "works_for")
    assert has_directions(LABELS)
    assert not has_directions(FLAT)


def official(right: list[str], given: list[str]) -> float:
    """Count pair by pair as semeval2010_task8_scorer-v1.2.pl does where direction counts; the mean without Other."""
    proposed, answer, correct, wrong_direction = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for gold, found in zip(right, given, strict=True):
        relation, other = gold.partition("(")[0], found.partition("(")[0]
        answer[relation] += 1
        if relation == other and gold != found:
            wrong_direction[relation] += 1
            continue
        proposed[other] += 1
        correct[relation] += gold == found
    scores = []
    for relation in {*answer, *proposed, *wrong_direction} - {"Other"}:
        given_at_all = proposed[relation] + wrong_direction[relation]
        precision = correct[relation] / given_at_all if given_at_all else 0
        recall = correct[relation] / answer[relation] if answer[relation] else 0
        scores.append(2 * precision * recall / (precision + recall) if correct[relation] else 0)
    return sum(scores) / len(scores) if scores else 0


def of_tacred(right: list[str], given: list[str]) -> float:
    """Count as TACRED's scorer does: pairs of a relation that were given that relation."""
    correct = sum(gold == found != "no_relation" for gold, found in zip(right, given, strict=True))
    guessed, gold = (sum(name != "no_relation" for name in names) for names in (given, right))
    precision, recall = correct / guessed if guessed else 1, correct / gold if gold else 0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0


def scored(right: list[str], given: list[str], labels: LabelSet) -> dict[str, float]:
    names, relation = relations_of(labels)
    counts = relation_outcomes(*(np.array([labels.index(name) for name in each]) for each in (right, given)), relation,
                               len(names))
    return {name: float(value) for name, value in averages(*counts.sum(axis=0), multi_label=False).items()}


@given(st.lists(st.tuples(st.sampled_from(LABELS.names), st.sampled_from(LABELS.names)), min_size=1, max_size=30))
def test_macro_f1_is_the_official_one(pairs: list[tuple[str, str]]) -> None:
    right, given = map(list, zip(*pairs, strict=True))
    assert scored(right, given, LABELS)["f1_macro"] == pytest.approx(official(right, given))


@given(st.lists(st.tuples(st.sampled_from(FLAT.names), st.sampled_from(FLAT.names)), min_size=1, max_size=30))
def test_micro_f1_is_that_of_tacred(pairs: list[tuple[str, str]]) -> None:
    right, given = map(list, zip(*pairs, strict=True))
    assert scored(right, given, FLAT)["f1_micro"] == pytest.approx(of_tacred(right, given))


def test_the_wrong_direction_is_wrong() -> None:
    right = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Other", "Part-Whole(e1,e2)"]
    given = ["Cause-Effect(e1,e2)", "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Part-Whole(e1,e2)"]
    # Cause-Effect: 1 right of 3 given and of 2 that there are; Part-Whole all right.
    assert scored(right, given, LABELS)["f1_macro"] == pytest.approx((0.4 + 1) / 2)
    assert scored(right, given, LABELS)["f1_micro"] == pytest.approx(4 / 7)


@given(count=st.integers(1, 60), room=st.integers(1, 40), data=st.data())
def test_a_window_stands_around_the_pair_where_one_holds_it(count: int, room: int, data: st.DataObject) -> None:
    first, second, last = sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=3, max_size=3)))
    windows = around(count, room, (first, second, last + 1))
    assert all(0 <= one.start < one.stop <= count and one.stop - one.start == min(room, count) for one in windows)
    if second - first < room:
        (window,) = windows
        assert window.start <= first <= second < window.stop
        if last - first < room:
            assert last < window.stop
            before, behind = first - window.start, window.stop - 1 - last
            assert abs(before - behind) <= 1 or window.start == 0 or window.stop == count
    else:
        one, other = windows
        assert one.start <= first < one.stop
        assert other.start <= second < other.stop


def encoded(rows: list[TextInput], model: Path, max_length: int = 16) -> Ragged:
    return Encoder.load(model, max_length=max_length, overlap=4).encode_ragged(rows, offsets=True)


FAR = Marked("很" * 40 + "好" + "很" * 40, Argument(0, 1), Argument(79, 80))
NEAR = Marked("很" * 40 + "好" + "很" * 40, Argument(41, 43), Argument(40, 41))
SHORT = Marked("a b", Argument(0, 1), Argument(2, 3))


def test_long_texts_have_the_windows_that_hold_their_marks(tiny_model: Path) -> None:
    ragged = encoded([SHORT, FAR, NEAR], tiny_model)
    assert ragged.owners is not None
    assert ragged.owners.tolist() == [0, 1, 1, 2]
    assert ragged.truncated.tolist() == [False, True, True, True]
    assert max(ragged.lengths) == 16
    rows = [Example("x:1", row.text, labels=(LABELS.names[4],), arguments=(row.head, row.tail))
            for row in (SHORT, FAR, NEAR)]
    targets = relations.targets(rows, LABELS, ragged)
    assert [sorted(row[row > 0].tolist()) for row in targets.rows] == [[17, 18], [17], [18], [17, 18]]
    tokens = [ragged.ids[row][int(np.flatnonzero(targets.rows[row] > 0)[0])] for row in range(4)]
    at, hash_ = (Encoder.load(tiny_model).encode_ragged([mark]).ids[0][1] for mark in "@#")
    assert tokens == [at, at, hash_, hash_]


def test_a_pair_too_far_apart_sums_what_its_marks_have_in_two_windows(tiny_model: Path) -> None:
    ragged = encoded([FAR], tiny_model)
    bits = mark_bits(ragged, [FAR])
    random = np.random.default_rng(0)
    logits = [random.normal(size=(len(ids), 10)).astype(np.float32) for ids in ragged.ids]
    (found,) = relations.decode(logits, ragged, [FAR], LABELS, relations.Settings())
    (head,), (tail,) = np.flatnonzero(bits[0]), np.flatnonzero(bits[1])
    summed = np.exp((logits[0][head, :5] + logits[1][tail, 5:]).astype(np.float64))
    np.testing.assert_allclose(found.probabilities, summed / summed.sum(), rtol=1e-5)
    assert found.truncated
    assert relations.metrics(logits, relations.targets(
        [Example("x:1", FAR.text, labels=found.labels, arguments=(FAR.head, FAR.tail))], LABELS, ragged),
        LABELS)["accuracy"] == 1.0


def test_marks_that_a_cut_takes_away_are_stood_for_by_the_first_token(tiny_model: Path) -> None:
    ragged = Encoder.load(tiny_model, max_length=8).encode_ragged([NEAR], offsets=True)
    assert [row.tolist() for row in mark_bits(ragged, [NEAR])] == [[3, 0, 0, 0, 0, 0, 0, 0]]


@given(length=st.integers(2, 60), room=st.integers(8, 40), data=st.data())
@settings(max_examples=50)
def test_both_marks_are_found_in_texts_of_any_length(
    tiny_model: Path, length: int, room: int, data: st.DataObject,
) -> None:
    ends = st.integers(0, length - 1).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, length)))
    head, tail = data.draw(st.tuples(ends, ends).filter(lambda two: two[0] != two[1]))
    row = Marked("很" * length, Argument(*head), Argument(*tail))
    ragged = encoded([row], tiny_model, room)
    bits = mark_bits(ragged, [row])
    assert all(bit[0] == 0 for bit in bits)  # no first token had to stand in
    assert sorted(np.concatenate(bits)[np.concatenate(bits) > 0].tolist()) == [1, 2]
    assert bool(ragged.truncated.all()) == (length + 4 + 2 > room)


@pytest.mark.slow
def test_it_is_a_linear_layer_on_the_two_states_side_by_side(tiny_model: Path) -> None:
    import torch

    states, layer = torch.randn(2, 7, 16), torch.nn.Linear(16, 10)
    targets = torch.full((2, 7), -100)
    places, classes = [(1, 4), (5, 2)], [3, 0]
    for row, ((head, tail), right) in enumerate(zip(places, classes, strict=True)):
        targets[row, head], targets[row, tail] = 4 * right + 1, 4 * right + 2
    found = relations.loss(layer(states), targets)
    beside = torch.nn.Linear(32, 5)
    with torch.no_grad():
        beside.weight.copy_(torch.cat([layer.weight[:5], layer.weight[5:]], dim=1))
        beside.bias.copy_(layer.bias[:5] + layer.bias[5:])
    both = torch.stack([torch.cat([states[row, head], states[row, tail]]) for row, (head, tail) in enumerate(places)])
    wanted = torch.nn.functional.cross_entropy(beside(both), torch.tensor(classes), reduction="none")
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(("row", "said"), [
    (Example("x:1", "a b", labels=("Other",)), "x:1: expected two marked stretches and one relation, got no stretches"),
    (Example("x:1", "a b", labels=(), arguments=(Argument(0, 1), Argument(2, 3))), "and one relation, got ()"),
    (Example("x:1", "a b", labels=("Othr",), arguments=(Argument(0, 1), Argument(2, 3))),
     "relation 'Othr' is not in the label set\n  -> did you mean 'Other'?"),
])
def test_rows_that_cannot_be_learned_are_refused(row: Example, said: str, tiny_model: Path) -> None:
    with pytest.raises(DataError) as error:
        relations.targets([row], LABELS, encoded([SHORT], tiny_model))
    assert said in str(error.value)


def test_texts_without_marks_are_a_fault_of_the_callers(tiny_model: Path) -> None:
    with pytest.raises(TypeError, match="relations are told of marked texts, not of str"):
        mark_bits(encoded(["a b"], tiny_model), ["a b"])
