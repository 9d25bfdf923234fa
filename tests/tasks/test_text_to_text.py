"""Text to text: targets, loss, what is kept of logits, what a guess scores."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.errors import DataError, RecipeError
from luthier.models.encoding import Ragged
from luthier.schema import GENERATED, Example, Generated, LabelSet
from luthier.tasks import Known, TokenTargets
from luthier.tasks import text_to_text as task
from luthier.tasks._prompts import Shot

LABELS = LabelSet((GENERATED,), "text_generation")
ROWS = [Example("f:1", "one", targets=("eins", "ein")), Example("f:2", "two", targets=("zwei",))]


@dataclass(frozen=True)
class Made:
    text: str
    score: float
    finish: str


def ragged(*ids: list[int], cut: tuple[bool, ...] = ()) -> Ragged:
    return Ragged(list(ids), None, np.array(cut or [False] * len(ids)))


def test_targets_are_the_tokens_of_the_first_text_and_lose_their_end_where_they_were_cut() -> None:
    found = task.targets(ROWS, LABELS, ragged([5, 6, 2], [7, 8, 2], cut=(False, True)))
    assert found.written
    assert [row.tolist() for row in found.rows] == [[5, 6, 2], [7, 8]]
    assert found.counts(np.array([0, 1])) == 5
    assert found[np.array([1, 0])].tolist() == [[7, 8, -100], [5, 6, 2]]


def test_rows_without_a_target_are_refused() -> None:
    with pytest.raises(DataError, match=r"f:9: expected a text to be written for it, got none\n.*luthier predict"):
        task.targets([Example("f:9", "x")], LABELS, ragged([2]))


def test_what_is_written_becomes_answers() -> None:
    made = [Made("a dog", math.log(0.5), "stop"), Made("", 0.0, "length")]
    assert task.decode(made, ragged([1], [2], cut=(True, False)), ["x", "y"], LABELS, task.Settings()) == [
        Generated("a dog", "stop", 0.5, True), Generated("", "length", 1.0, False)]


def test_a_decoder_learns_the_token_after_each_up_to_the_end_of_its_target_and_nothing_of_its_prompt() -> None:
    whole = replace(ragged([1, 5, 6, 7, 2], [1, 8, 9]), sequence=[np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1])])
    found = task.targets(ROWS, LABELS, whole)
    assert not found.written
    assert [row.tolist() for row in found.rows] == [[-100, -100, 7, 2, -100], [-100, 9, -100]]
    assert found.counts(np.array([0, 1])) == 3
    kept = [np.array([[-9, 1], [-9, 1], [-1, 1], [-2, 0], [-9, 1]], np.float32),
            np.array([[-9, 0], [-3, 1], [-9, 0]], np.float32)]
    assert task.metrics(kept, found, LABELS) == {"accuracy": pytest.approx(2 / 3), "loss": 2.0}
    assert task.guessed(found, found, LABELS)["accuracy"] == pytest.approx(1 / 3)


def test_what_a_decoder_writes_has_no_white_space_around_it() -> None:
    made = [Made(" a dog\n", math.log(0.5), "stop")]
    for template, text in (("model", "a dog"), (None, " a dog\n")):
        (answer,) = task.decode(made, ragged([1]), ["x"], LABELS, task.Settings(chat_template=template))
        assert answer.generated_text == text


@pytest.mark.parametrize(("columns", "language", "begins"), [
    (("dialogue", "summary"), "en", "Summarize the following text:\n{source}\n"),
    (("正文", "摘要"), "zh", "概括下文：\n{source}\n"),
    (("translation.en", "translation.de"), "en", "Translate from English to German:\n{source}\n\nGerman:\n"),
    (("incorrect", "correct"), "en", "Correct the following text:\n{source}\n"),
    (("source", "target"), "en", "Text:\n{source}\n\nAnswer:\n"),
    (("原文", "译文"), "zh", "文本：\n{source}\n\n回答：\n"),
])
def test_the_columns_suggest_a_prompt(columns: tuple[str, str], language: str, begins: str) -> None:
    known = Known("m", continues=True, columns=columns, language=language)
    settled, told = task.settle_model(task.Settings(), ROWS, known)
    assert str(settled.prompt).startswith(begins)
    assert told == [f"prompt: {settled.prompt!r}, by the names of the columns (task.prompt)"]
    assert settled.chat_template == "plain"
    again, told = task.settle_model(settled, ROWS, known)
    assert (again, told) == (settled, [])


def test_examples_are_drawn_once_by_the_seed_and_stay() -> None:
    rows = [Example(f"f:{n}", "x" * n, targets=(str(n),)) for n in range(1, 41)]
    asked = task.Settings(examples=3, prompt="{source}")
    first, told = task.settle_model(asked, rows, Known("m", continues=True, has_template=True, seed=1))
    same, _ = task.settle_model(first, rows[:5], Known("m", continues=True, has_template=True, seed=2))
    other, _ = task.settle_model(asked, rows, Known("m", continues=True, has_template=True, seed=2))
    assert first.shots == same.shots != other.shots
    assert len({shot.source for shot in first.shots or ()}) == 3
    assert max(len(shot.source) for shot in first.shots or ()) <= 20
    assert told == ["examples: 3 training rows stand in each prompt"]
    assert first.chat_template == "model"


def test_examples_that_are_scored_on_are_refused() -> None:
    """A recipe that is run again with another seed brings its examples along, and divides the rows anew."""
    given = task.Settings(shots=(Shot(source="One  dog", target="1"), Shot(source="two", target="2")))
    later = (Example("f:1", "one dog", targets=("1",)), Example("f:2", "three", targets=("3",)))
    with pytest.raises(RecipeError, match=r"1 of the 2 examples in task.shots are validation or test rows, such as "
                                          r"'One  dog': the prompt would(.|\n)*task.shots=null"):
        task.settle_model(given, ROWS, Known("m", continues=True, held_out=later))
    for rows, held_out in ((ROWS, later[1:]), ([*ROWS, later[0]], later)):
        assert task.settle_model(given, rows, Known("m", continues=True, held_out=held_out))[0].shots == given.shots


def test_a_count_of_examples_that_contradicts_those_given_is_refused() -> None:
    known = Known("m", continues=True)
    shots = (Shot(source="One dog", target="1"), Shot(source="two", target="2"))
    assert task.settle_model(task.Settings(shots=shots), ROWS, known)[0].examples == 2
    assert task.settle_model(task.Settings(shots=shots, examples=2), ROWS, known)[0].shots == shots
    with pytest.raises(RecipeError, match=r"task.examples=4, but task.shots holds 2\n.*task.shots=null"):
        task.settle_model(task.Settings(shots=shots, examples=4), ROWS, known)
    few, _ = task.settle_model(task.Settings(examples=9), ROWS[:2], known)
    assert task.settle_model(few, ROWS, known)[0].shots == few.shots  # run again from its recipe


def test_settings_of_the_other_kind_of_models_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"task.examples is for decoders, and m is an encoder-decoder\n.*leave task"):
        task.settle_model(task.Settings(examples=1), ROWS, Known("m", continues=False))
    with pytest.raises(RecipeError, match=r"m is a decoder, whose texts carry no codes of languages\n.*in task.prompt"):
        task.settle_model(task.Settings(target_language="de_DE"), ROWS, Known("m", continues=True))
    plain = task.Settings(prompt="do: {source}")
    assert task.settle_model(plain, ROWS, Known("m", continues=False)) == (plain, [])
    assert task.pace(plain) == (task.LEARNING_RATES, task.LEAST_STEPS)
    assert task.pace(plain.model_copy(update={"chat_template": "plain"})) == task.CONTINUED


def test_prompts_keep_their_line_ends_and_are_checked() -> None:
    assert task.Settings(prompt=" a {source}\n").prompt == " a {source}\n"
    with pytest.raises(ValueError, match=r"\{text\} is no place of a prompt"):
        task.Settings(prompt="{text}")


def test_a_guess_knows_how_common_tokens_are() -> None:
    train = TokenTargets([np.array([5, 5, 2]), np.array([5, 2])], written=True)
    valid = TokenTargets([np.array([5, 9, 2])], written=True)
    found = task.guessed(train, valid, LABELS)
    assert found["accuracy"] == pytest.approx(1 / 3)
    shares = (3 / 6, 1 / 6, 2 / 6)  # the tokens seen, and one more that stands for all that are new
    assert found["loss"] == pytest.approx(-np.log(shares).mean(), rel=1e-6)


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(0, 99),
       st.sampled_from([0.0, 0.1]))
def test_the_loss_is_that_of_the_log_probabilities_kept(rows: list[list[int]], seed: int, smoothing: float) -> None:
    import torch

    targets = TokenTargets([np.array(row) for row in rows], written=True)
    padded = torch.from_numpy(targets[np.arange(len(rows))])
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(*padded.shape, 7)).astype(np.float32))
    kept = task.condensed(logits, padded).numpy()
    found = task.metrics([one[: len(row)] for one, row in zip(kept, rows, strict=True)], targets, LABELS)
    assert float(task.loss(logits, padded).sum()) / targets.counts(np.arange(len(rows))) == pytest.approx(
        found["loss"], rel=1e-4)
    shares = torch.log_softmax(logits, -1)
    for number, row in enumerate(rows):
        smooth = -sum((1 - smoothing) * float(shares[number, place, token]) + smoothing * float(
            shares[number, place].mean()) for place, token in enumerate(row))
        assert float(task.loss(logits, padded, label_smoothing=smoothing)[number]) == pytest.approx(smooth, rel=1e-4)
    right = [int(logits[number, place].argmax()) == token for number, row in enumerate(rows)
             for place, token in enumerate(row)]
    assert found["accuracy"] == pytest.approx(np.mean(right))
