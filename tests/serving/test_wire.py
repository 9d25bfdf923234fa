from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.schema import Argument, Marked, Passage, Prediction
from luthier.serving.limits import Limits
from luthier.serving.refusal import Refusal
from luthier.serving.wire import Asked, answer, parse

LIMITS = Limits(max_inputs=4, max_text_chars=10)

MALFORMED = [
    (b"", "the body is empty"),
    (b"  \n", "the body is empty"),
    (b"not json", "the body is not JSON: Expecting value at line 1 column 1"),
    (b'{"inputs": "x"', "the body is not JSON"),
    (b'{"inputs": "x"} extra', "the body is not JSON: Extra data"),
    (b"\xff\xfe{", "the body is not UTF-8: byte 0 is 0xff"),
    ('{"inputs": "心"}'.encode("gb18030"), "the body is not UTF-8"),
    (b'{"inputs": "a\nb"}', "the body is not JSON: Invalid control character"),
    (b'{"inputs": NaN}', "NaN is not JSON"),
    (b'{"inputs": -Infinity}', "-Infinity is not JSON"),
    (b'{"inputs": ' + b"[" * 200_000, "the body is JSON nested too deeply"),
    (b'{"inputs": ' + b'{"a":' * 200_000, "the body is JSON nested too deeply"),
    (b'{"inputs": ' + b"9" * 5_000 + b"}", "a number with too many digits"),
]
INVALID = [
    ("x", "the body is a text, not an object"),
    ([], "the body is a list, not an object"),
    (None, "the body is null, not an object"),
    ({}, 'the key "inputs" is missing'),
    ({"input": "x"}, "unknown key \"input\"; did you mean 'inputs'?"),
    ({"inputs": "x", "top_k": 1}, 'unknown key "top_k"'),
    ({"inputs": "x", "\ud800": 1}, 'unknown key "\\ud800"'),
    ({"inputs": None}, "inputs is null, not a text"),
    ({"inputs": 3}, "inputs is a number, not a text"),
    ({"inputs": 1e400}, "Infinity is not JSON"),
    ({"inputs": True}, "inputs is true or false, not a text"),
    ({"inputs": []}, "inputs is an empty list"),
    ({"inputs": ""}, "inputs is empty"),
    ({"inputs": ["fine", " \u3000\n"]}, "inputs[1] is empty"),
    ({"inputs": ["fine", "\u200b\ufeff\x00"]}, "inputs[1] is empty"),
    ({"inputs": ["fine", 7]}, "inputs[1] is a number"),
    ({"inputs": ["fine", ["a", "b"]]}, "inputs[1] is a pair, and this model takes single texts"),
    ({"inputs": [["a"]]}, "inputs[0] is a list of 1; a pair has two texts"),
    ({"inputs": [[]]}, "inputs[0] is a list of 0"),
    ({"inputs": {}}, 'inputs has no key "text"'),
    ({"inputs": {"text": "a", "text_b": "b"}}, "inputs is a pair, and this model takes single texts"),
    ({"inputs": {"question": "a", "context": "b"}}, "inputs is a pair, and this model takes single texts"),
    ({"inputs": {"text": "a", "label": "b"}}, 'inputs has the unknown key "label"'),
    ({"inputs": {"text": ["a"]}}, "inputs.text is a list, not a text"),
    ({"inputs": ["\ud800"]}, "inputs[0] holds half a surrogate pair at character 0"),
]
INVALID_PAIRS = [
    ({"inputs": "one"}, "inputs is one text, and this model takes pairs"),
    ({"inputs": ["a", "b"]}, "inputs[0] is one text, and this model takes pairs"),
    ({"inputs": [["a", "b"], "c"]}, "inputs[1] is one text, and this model takes pairs"),
    ({"inputs": [["a", ""]]}, "inputs[0][1] is empty"),
    ({"inputs": [["a", None]]}, "inputs[0][1] is null, not a text"),
    ({"inputs": [["a", "b", "c"]]}, "inputs[0] is a list of 3; a pair has two texts"),
    ({"inputs": {"text": "a"}}, "inputs is one text, and this model takes pairs"),
    ({"inputs": {"question": "a"}}, 'inputs has no key "context"'),
    ({"inputs": [{"context": "a"}]}, 'inputs[0] has no key "question"'),
    ({"inputs": {"question": "a", "contxt": "b"}}, 'inputs has the unknown key "contxt"'),
    ({"inputs": {"question": "a", "text": "b"}}, 'inputs has the unknown key "question"'),
    ({"inputs": {"question": "a", "context": ""}}, "inputs.context is empty"),
    ({"inputs": {"text": "a", "text_b": ""}}, "inputs.text_b is empty"),
]
TOO_LARGE = [
    ({"inputs": ["x"] * 5}, "5 inputs; this server takes 4 a request"),
    ({"inputs": "x" * 11}, "inputs has 11 characters; this server takes 10"),
    ({"inputs": ["x", "心" * 11]}, "inputs[1] has 11 characters"),
]


def refusal_of(body: bytes, *, pair: bool = False) -> Refusal:
    with pytest.raises(Refusal) as refused:
        parse(body, LIMITS, pair=pair)
    return refused.value


def parsed(body: bytes, *, pair: bool, relations: bool = False, conversations: bool = False) -> Asked | Refusal:
    try:
        return parse(body, LIMITS, pair=pair, relations=relations, conversations=conversations)
    except Refusal as refusal:
        return refusal


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=[message[-30:] for _, message in MALFORMED])
def test_what_is_not_json_is_refused_with_400(body: bytes, message: str) -> None:
    refusal = refusal_of(body)
    assert (refusal.status, refusal.kind) == (400, "malformed")
    assert message in json.loads(refusal.body())["error"]


@pytest.mark.parametrize(("value", "message"), INVALID, ids=[message[:40] for _, message in INVALID])
def test_other_forms_are_refused_with_the_place(value: Any, message: str) -> None:
    refusal = refusal_of(dumped(value))
    assert refusal.status == (400 if "Infinity" in message else 422)
    assert message in json.loads(refusal.body())["error"]


@pytest.mark.parametrize(("value", "message"), INVALID_PAIRS, ids=[message[:40] for _, message in INVALID_PAIRS])
def test_pairs_and_singles_do_not_mix(value: Any, message: str) -> None:
    refusal = refusal_of(dumped(value), pair=True)
    assert refusal.status == 422
    assert message in json.loads(refusal.body())["error"]


@pytest.mark.parametrize(("value", "message"), TOO_LARGE, ids=[message[:40] for _, message in TOO_LARGE])
def test_limits_name_themselves(value: Any, message: str) -> None:
    refusal = refusal_of(dumped(value))
    assert refusal.status == 413
    assert message in json.loads(refusal.body())["error"]


@pytest.mark.parametrize(("value", "pair", "texts", "single"), [
    ({"inputs": {"question": "谁？", "context": "Ann"}}, True, [("谁？", "Ann")], True),
    ({"inputs": [{"context": "b", "question": "a"}, ["c", "d"]]}, True, [("a", "b"), ("c", "d")], False),
    ({"inputs": "心情很好"}, False, ["心情很好"], True),
    ({"inputs": ["a", "😀"]}, False, ["a", "😀"], False),
    ({"inputs": {"text": "a"}}, False, ["a"], True),
    ({"inputs": [{"text": "a"}, "b"]}, False, ["a", "b"], False),
    ({"inputs": [["a", "b"], {"text": "c", "text_b": "d"}]}, True, [("a", "b"), ("c", "d")], False),
    ({"inputs": {"text": "a", "text_b": "b"}}, True, [("a", "b")], True),
])
def test_every_form_that_is_taken(value: Any, pair: bool, texts: list[Any], single: bool) -> None:
    asked = parse(dumped(value), LIMITS, pair=pair)
    assert (asked.texts, asked.single) == (texts, single)


HEAD, TAIL = {"start": 0, "end": 2}, {"start": 3, "end": 4, "type": "city"}


@pytest.mark.parametrize(("value", "message"), [
    ({"inputs": "x"}, 'inputs is a text, and this model takes texts with two marked stretches'),
    ({"inputs": [["a", "b"]]}, "inputs[0] is a list, and this model takes texts with two"),
    ({"inputs": {"text": "心情 好", "head": HEAD}}, "inputs: has no 'tail': the keys are text, head and tail"),
    ({"inputs": {"text": "心情 好", "head": HEAD, "tail": TAIL, "\ud800": 1}}, "inputs: unknown key '\\ud800'"),
    ({"inputs": [{"text": "心情", "head": HEAD, "tail": TAIL}]}, "inputs[0]: tail: 3-4 lies outside the text of 2"),
    ({"inputs": {"text": "心情 好", "head": HEAD, "tail": HEAD}}, "inputs: head and tail are the same stretch, 0-2"),
    ({"inputs": {"text": "心情 好", "head": {**HEAD, "start": 10**4000}, "tail": TAIL}}, "inputs: head: 1000"),
    ({"inputs": {"text": "\ud800x y", "head": HEAD, "tail": TAIL}}, "inputs.text holds half a surrogate pair"),
    ({"inputs": {"text": "xxxyy", "head": {**HEAD, "type": "\udc00"}, "tail": TAIL}}, "inputs.head.type holds half a"),
    ({"inputs": {"text": 3, "head": HEAD, "tail": TAIL}}, "inputs: text: expected a text, got int"),
    ({}, 'the key "inputs" is missing; send {"inputs": {"text": "…", "head":'),
])
def test_other_forms_than_marked_texts_are_refused(value: Any, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(dumped(value), LIMITS, pair=False, relations=True)
    assert refused.value.status == 422
    assert message in json.loads(refused.value.body())["error"]
    assert len(refused.value.body()) < 1000


def test_marked_texts_are_taken() -> None:
    row = {"text": "心情 好", "head": HEAD, "tail": TAIL}
    expected = Marked("心情 好", Argument(0, 2), Argument(3, 4, "city"))
    for inputs, single in ((row, True), ([row], False)):
        assert parse(dumped({"inputs": inputs}), LIMITS, pair=False, relations=True) == Asked([expected], single)


def test_the_limit_on_characters_holds_for_marked_texts() -> None:
    row = {"text": "x" * 11, "head": HEAD, "tail": TAIL}
    with pytest.raises(Refusal, match="inputs.text has 11 characters") as refused:
        parse(dumped({"inputs": row}), LIMITS, pair=False, relations=True)
    assert refused.value.status == 413


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse(b"\xef\xbb\xbf" + dumped({"inputs": "a"}), LIMITS, pair=False).texts == ["a"]


KEYS = ["text", "text_b", "x", "head", "tail", "start", "end", "type"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)


@given(JSON_VALUES, st.booleans(), st.booleans())
def test_any_json_gives_texts_or_a_refusal_that_can_be_sent(value: Any, pair: bool, relations: bool) -> None:
    outcome = parsed(dumped({"inputs": value}), pair=pair, relations=relations)
    if isinstance(outcome, Refusal):
        assert 400 <= outcome.status < 500
        assert set(json.loads(outcome.body())) == {"error", "error_type"}
    else:
        assert 1 <= len(outcome.texts) <= LIMITS.max_inputs


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_and_never_break(body: bytes) -> None:
    assert refusal_of(body).status in (400, 413, 422)


def test_an_answer_has_the_form_of_the_question() -> None:
    one = Prediction(("好",), ("坏", "好"), np.array([0.25, 0.75], np.float32), truncated=True)
    scores = {"坏": 0.25, "好": 0.75}
    expected = {"label": "好", "labels": ["好"], "score": 0.75, "probabilities": scores, "truncated": True}
    assert json.loads(answer("m", [one], single=True)) == {"model": "m", "predictions": expected}
    assert json.loads(answer("m", [one, one], single=False)) == {"model": "m", "predictions": [expected, expected]}
    assert "好".encode() in answer("m", [one], single=True)


@pytest.mark.parametrize(("inputs", "texts", "single"), [
    ("a", ["a"], True), (["a", ["b", "c"]], ["a", ("b", "c")], False), ({"query": "a"}, ["a"], True),
    ({"passage": "心"}, ["心"], True), ([{"query": "a", "passage": "b"}], [("a", "b")], False),
    ({"text": "a", "text_b": "b"}, [("a", "b")], True),
])
def test_one_text_or_two_where_texts_are_compared(inputs: Any, texts: list[Any], single: bool) -> None:
    asked = parse(json.dumps({"inputs": inputs}).encode(), LIMITS, pair=None)
    assert (asked.texts, asked.single) == (texts, single)
    assert isinstance(asked.texts[0], Passage) is (isinstance(inputs, dict) and set(inputs) == {"passage"})


@pytest.mark.parametrize(("inputs", "said"), [
    ([["a", "b", "c"]], "inputs[0] is a list of 3"), ({"passage": 1}, "inputs.passage is a number"),
    ({"query": "a", "text": "b"}, 'the unknown key "text"'), ([{"passage": " "}], "inputs[0].passage is empty"),
    ({"query": "x" * 11}, "inputs.query has 11 characters"),
])
def test_other_forms_are_refused_where_texts_are_compared(inputs: Any, said: str) -> None:
    with pytest.raises(Refusal, match=re.escape(said)):
        parse(json.dumps({"inputs": inputs}).encode(), LIMITS, pair=None)


def test_queries_and_passages_are_for_models_that_compare() -> None:
    with pytest.raises(Refusal, match='unknown key "query"'):
        parse(b'{"inputs": {"query": "a"}}', LIMITS, pair=False)


SAID = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
MESSAGES = st.recursive(
    st.none() | st.integers() | st.text(st.characters(), max_size=6) | st.sampled_from(["user", "assistant", "system"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["messages", "role", "content", "from", "value", "type", "text", "\ud83d"]), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(("inputs", "said", "single"), [
    ("a", [["a"]], True), (["a", "b"], [["a"], ["b"]], False), (SAID, [["a", "b", "c"]], True),
    ({"messages": SAID}, [["a", "b", "c"]], True), ([SAID, {"messages": SAID[:1]}], [["a", "b", "c"], ["a"]], False),
    ('[{"role": "s"', [['[{"role": "s"']], True),
])
def test_conversations_are_taken_in_every_form(inputs: Any, said: list[list[str]], single: bool) -> None:
    asked = parse(dumped({"inputs": inputs}), Limits(), pair=False, conversations=True)
    assert ([list(talk) for talk in asked.texts], asked.single) == (said, single)


@pytest.mark.parametrize(("inputs", "why"), [
    (SAID[:2], "inputs: the last message is not the user's"), ([SAID, SAID[:2]], "inputs[1]: the last message"),
    ({"text": "a"}, "inputs has no list of messages"),
    ({"messages": SAID, "x": 1}, 'inputs has the unknown key "x"'),
    ([7], "inputs[0]: expected a list of messages, came int"),
    ([{"role": "me", "content": "a"}], "inputs: message 1 has the unknown role 'me'"),
    ([{"role": "user", "content": "\u200b"}], "inputs: message 1 (user) is empty"),
    ([{"role": "user", "content": "a" * 11}], "inputs has 11 characters; this server takes 10"),
    (["a", " "], "inputs[1] is empty"),
])
def test_other_conversations_are_refused_with_their_place(inputs: Any, why: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(dumped({"inputs": inputs}), LIMITS, pair=False, conversations=True)
    assert why in json.loads(refused.value.body())["error"]


@given(MESSAGES)
def test_any_messages_give_conversations_or_a_refusal_that_can_be_sent(value: Any) -> None:
    outcome = parsed(dumped({"inputs": value}), pair=False, conversations=True)
    if isinstance(outcome, Refusal):
        assert 400 <= outcome.status < 500
        assert set(json.loads(outcome.body())) == {"error", "error_type"}
    else:
        assert 1 <= len(outcome.texts) <= LIMITS.max_inputs
