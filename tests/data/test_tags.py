import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOBES, Entities

from luthier.data.cells.tags import bio, entities, is_tag


@pytest.mark.parametrize(("tags", "found"), [
    ("", []), ("O O", []), ("B-X I-X O B-Y", [(0, 2, "X"), (3, 4, "Y")]), ("I-X I-X B-X I-Y", [
        (0, 2, "X"), (2, 3, "X"), (3, 4, "Y")]), ("S-X B-X E-X O E-Y", [(0, 1, "X"), (1, 3, "X"), (4, 5, "Y")]),
    ("U-X B-X I-X L-X L-X", [(0, 1, "X"), (1, 4, "X"), (4, 5, "X")]),
    ("B-人 M-人 E-人 S-地", [(0, 3, "人"), (3, 4, "地")]),
    ("O I-X-Y I-X-Y", [(1, 3, "X-Y")]), ("M-X M-X O", [(0, 2, "X")]), ("B-X B-X", [(0, 1, "X"), (1, 2, "X")]),
])
def test_every_scheme_is_read_by_the_rules_of_conll(tags, found):
    assert entities(tags.split()) == found


@given(st.lists(st.sampled_from(["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("X", "Y-Z"))])))
def test_any_sequence_is_read_as_seqeval_reads_it(tags):
    assert [(kind, start, end - 1) for start, end, kind in entities(tags)] == get_entities(tags)


SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["X", "Y"])), max_size=8)


def laid(drawn):
    """Gaps and lengths -> spans that do not overlap, and the number of tokens."""
    spans, at = [], 0
    for gap, length, kind in drawn:
        spans.append((at + gap, at + gap + length, kind))
        at += gap + length
    return spans, at + 1


def written(spans, length, letters):
    first, inner, last, single = letters
    tags = ["O"] * length
    for start, end, kind in spans:
        body = [first, *inner * (end - start - 2), last] if end - start > 1 else [single]
        tags[start:end] = [f"{letter}-{kind}" for letter in body]
    return tags


@given(SPANS)
def test_spans_survive_every_scheme(drawn):
    spans, length = laid(drawn)
    assert entities(bio(spans, length)) == spans
    for letters in ("BIIB", "BIES", "BILU", "BMES"):
        assert entities(written(spans, length, letters)) == spans


@pytest.mark.parametrize(("letters", "scheme"), [("BIES", IOBES), ("BILU", BILOU)])
@given(drawn=SPANS)
def test_well_formed_tags_are_read_as_seqeval_reads_them_strictly(letters, scheme, drawn):
    tags = written(*laid(drawn), letters)
    strict = [(one.start, one.end, one.tag) for one in Entities([tags], scheme).entities[0]]
    assert entities(tags) == strict


def test_iob1_marks_a_beginning_only_where_it_must():
    tags = ["I-X", "I-X", "B-X", "I-X", "O", "I-Y"]
    assert entities(tags) == [(one.start, one.end, one.tag) for one in Entities([tags], IOB1).entities[0]]


@pytest.mark.parametrize("tag", ["PER", "B", "B-", "b-PER", "X-PER", "", "0", "o"])
def test_a_tag_of_no_scheme_is_named(tag):
    assert not is_tag(tag)
    with pytest.raises(ValueError, match=f"unknown tag {tag!r}: expected O, or B, I, E"):
        entities(["O", tag])


@pytest.mark.parametrize(("spans", "message"), [
    ([(0, 0, "X")], "do not lie within 3"), ([(1, 4, "X")], "tokens 1 to 4"), ([(-1, 1, "X")], "do not lie"),
    ([(0, 2, "X"), (1, 3, "Y")], "overlap another entity"),
])
def test_spans_that_tags_cannot_say(spans, message):
    with pytest.raises(ValueError, match=message):
        bio(spans, 3)
