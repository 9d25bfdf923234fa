"""What a text must not depend on, what each step costs, and how texts end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from luthier.errors import LimitError, ModelError
from luthier.inference.generation import Decoding, Marks, generate
from luthier.inference.generation.ending import Ending
from luthier.models import tiny_generators
from luthier.schema import Batch

WAYS = {
    "greedy": Decoding(max_new_tokens=12, repetition_penalty=1.3, no_repeat_ngram_size=2),
    "beams": Decoding(max_new_tokens=12, num_beams=3, repetition_penalty=1.3, no_repeat_ngram_size=2),
    "drawn": Decoding(max_new_tokens=12, do_sample=True, temperature=1.5, top_k=0, top_p=0.9, seed=3),
}
PLAIN = {"greedy": Decoding(max_new_tokens=12), "beams": Decoding(max_new_tokens=12, num_beams=3)}


def close(one: Any, other: Any) -> bool:
    return one.ids == other.ids and one.finish == other.finish and one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_a_row_is_written_alike_alone_and_in_any_batch(writer: Any, prompts: list[list[int]], way: str) -> None:
    together = writer.write(prompts, WAYS[way])
    assert len({len(one.ids) for one in together}) > 1  # some end before others
    for row, prompt in enumerate(prompts):
        assert close(writer.write([prompt], WAYS[way], rows=[row])[0], together[row])
    backwards = writer.write(prompts[::-1], WAYS[way], rows=range(len(prompts))[::-1])
    assert all(close(one, other) for one, other in zip(backwards[::-1], together, strict=True))


def test_draws_differ_by_row_and_by_seed_and_repeat(causal: Any) -> None:
    ways = [WAYS["drawn"].model_copy(update={"seed": seed}) for seed in (3, 3, 4)]
    drawn, same, other = ([one.ids for one in causal.write([[90, 91]] * 6, way)] for way in ways)
    assert drawn == same
    assert drawn != other
    assert len(set(drawn)) > 1
    assert causal.write([[90, 91]], WAYS["drawn"], rows=[-5])[0].ids != causal.write([[90, 91]], WAYS["drawn"])[0].ids


@pytest.mark.parametrize("way", PLAIN)
def test_each_step_feeds_one_token_of_the_rows_that_go_on(writer: Any, prompts: list[list[int]], way: str) -> None:
    decoding = PLAIN[way]
    written = writer.write(prompts, decoding)
    first, *later = writer.fed
    assert first == (len(prompts), len(writer.marks.start) or max(map(len, prompts)))
    assert {tokens for _, tokens in later} == {1}
    rows = [count for count, _ in later]
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < rows[0] <= len(prompts) * decoding.num_beams
    if way == "greedy":
        lengths = np.array([len(one.ids) + (one.finish == "stop") for one in written])
        assert rows == [int((lengths > step).sum()) for step in range(1, lengths.max())]


def test_an_encoder_reads_its_texts_once(seq2seq: Any, prompts: list[list[int]]) -> None:
    read = []
    hook = seq2seq.model.get_encoder().register_forward_hook(lambda *_: read.append(1))
    seq2seq.write(prompts, PLAIN["beams"])
    hook.remove()
    assert len(read) == 1


@torch.no_grad()
def test_the_score_is_the_mean_log_probability_of_what_was_written(causal: Any, prompts: list[list[int]]) -> None:
    for prompt, written in zip(prompts, causal.write(prompts, PLAIN["greedy"]), strict=True):
        ids = torch.tensor([[*prompt, *written.ids]])
        shares = causal.model(ids).logits[0, len(prompt) - 1:].log_softmax(1)
        wanted = shares[:-1].gather(1, ids[0, len(prompt):, None])[:, 0].tolist()
        if written.finish == "stop":
            wanted.append(float(shares[-1, list(causal.marks.eos)].max()))
        assert written.score == pytest.approx(np.mean(wanted), abs=1e-4)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_stop_string_ends_a_text_and_is_cut(causal: Any, prompts: list[list[int]], beams: int) -> None:
    decoding = Decoding(max_new_tokens=12, num_beams=beams)
    free = causal.write(prompts, decoding)
    stop = next(one.text for one in free if len(one.text) > 4)[2:4]
    bound = causal.write(prompts, decoding.model_copy(update={"stop_strings": ("never", stop)}))
    ended = [one for one in bound if len(one.text) < len(one.ids)]
    assert ended
    for one in ended:
        assert one.finish == "stop"
        assert len(one.text) + len(stop) == len(one.ids)
    assert all(stop not in one.text for one in bound)
    if beams == 1:
        assert [one.text for one in bound] == [one.text.partition(stop)[0] for one in free]


def test_several_start_tokens_stand_before_every_text(seq2seq: Any, prompts: list[list[int]]) -> None:
    """As of models of many languages, which transformers forces the first token of: the two agree."""
    from transformers import GenerationConfig

    marks = Marks(seq2seq.marks.eos, seq2seq.marks.pad, (*seq2seq.marks.start, 99))
    written = type(seq2seq)(seq2seq.model, marks).write(prompts, Decoding(max_new_tokens=11))
    config = GenerationConfig(max_new_tokens=12, forced_bos_token_id=99, decoder_start_token_id=seq2seq.marks.start[0],
                              eos_token_id=list(marks.eos), pad_token_id=marks.pad)
    for prompt, one in zip(prompts, written, strict=True):
        ids = torch.tensor([prompt])
        wanted = seq2seq.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)[0].tolist()
        assert wanted[:2] == [*marks.start]
        assert one.ids == tuple(token for token in wanted[2:] if token not in marks.eos)


def test_what_must_never_be_written_is_not(writer: Any, prompts: list[list[int]]) -> None:
    free = {token for one in writer.write(prompts, PLAIN["greedy"]) for token in one.ids}
    never = tuple(sorted(free)[::2])
    marks = Marks(writer.marks.eos, writer.marks.pad, writer.marks.start, never)
    for decoding in PLAIN.values():
        written = type(writer)(writer.model, marks).write(prompts, decoding)
        assert not {token for one in written for token in one.ids} & set(never)


def test_a_full_model_ends_a_row_at_its_last_place(causal: Any) -> None:
    places = causal.model.config.max_position_embeddings
    long, short = [90] * (places - 2), [90]
    decoding = Decoding(max_new_tokens=6, min_new_tokens=6)
    one, other = causal.write([long, short], decoding)
    assert (len(one.ids), one.finish) == (3, "length")
    assert len(other.ids) == 6
    one, _ = causal.write([long, short], decoding.model_copy(update={"num_beams": 2}))
    assert len(one.ids) == 3


def test_no_room_is_refused_with_the_row_and_the_numbers(causal: Any) -> None:
    places = causal.model.config.max_position_embeddings
    told = rf"row 1: its {places + 1} tokens leave no room to write: the model has {places} places"
    with pytest.raises(LimitError, match=told):
        causal.write([[90], [90] * (places + 1)], PLAIN["greedy"], rows=[7, 8])


@pytest.mark.parametrize("way", WAYS)
def test_a_row_that_nobody_waits_for_ends_as_it_stands(writer: Any, prompts: list[list[int]], way: str) -> None:
    free = writer.write(prompts, WAYS[way])
    writer.fed.clear()
    stopped = writer.write(prompts, WAYS[way], stop=lambda row: row % 2 == 0 and len(writer.fed) >= 3)
    for row, (one, other) in enumerate(zip(free, stopped, strict=True)):
        if row % 2 or len(one.ids) + (one.finish == "stop") <= 3 > len(other.ids):
            assert close(one, other)  # who still waits gets what he would have got
        elif way == "beams":  # the best of its texts, which may have ended before
            assert len(other.ids) + (other.finish == "stop") <= 3
        else:
            assert (other.ids, other.finish) == (one.ids[:3], "length")
    beams = WAYS[way].num_beams
    assert all(rows <= len(prompts) // 2 * beams for rows, _ in writer.fed[3:])


@pytest.mark.parametrize("way", PLAIN)
def test_a_batch_that_nobody_waits_for_takes_no_further_step(writer: Any, prompts: list[list[int]], way: str) -> None:
    writer.write(prompts, PLAIN[way], stop=lambda _: len(writer.fed) >= 2)
    assert len(writer.fed) == 2


def test_texts_grow_in_blocks_and_no_draw_depends_on_the_most_allowed(writers: Any, prompts: list[list[int]]) -> None:
    writer = writers("t5")
    ways = [WAYS["drawn"].model_copy(update={"max_new_tokens": most, "min_new_tokens": 63}) for most in (63, 140)]
    short, long = (writer.write(prompts, way) for way in ways)
    assert max(len(one.ids) for one in long) > 64
    for one, other in zip(short, long, strict=True):
        assert one.ids == other.ids[:len(one.ids)]


def test_models_without_places_write_no_more_than_is_of_use(writers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luthier.inference.generation.engine._WITHOUT_PLACES", 5)
    one, = writers("t5").write([[90]], Decoding(max_new_tokens=30, min_new_tokens=30))
    assert (len(one.ids), one.finish) == (5, "length")


def test_a_model_in_training_is_refused(seq2seq: Any) -> None:
    seq2seq.model.train()
    try:
        with pytest.raises(ModelError, match=r"in training mode, in which dropout changes .*\n.*model.eval"):
            seq2seq.write([[90]], PLAIN["greedy"])
    finally:
        seq2seq.model.eval()


def test_nothing_is_written_for_no_rows(causal: Any) -> None:
    empty = Batch(np.zeros((0, 0), np.int64), np.zeros((0, 0), bool), None, np.zeros(0, bool))
    assert generate(causal.model, empty, PLAIN["greedy"], causal.marks, text_of=str, rows=()) == []


@pytest.mark.slow
def test_a_tiny_model_learns_to_spell_backwards(tmp_path: Any) -> None:
    """The whole way: a tokenizer, a plain loop, and texts that are right in more than 95 of 100 cases."""
    from tokenizers import Tokenizer
    from transformers import BartForConditionalGeneration

    from luthier.models.building import quiet

    with quiet():
        model = BartForConditionalGeneration.from_pretrained(tiny_generators.make_seq2seq(tmp_path, max_length=32))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    random = np.random.default_rng(0)

    def rows(words: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        encoded = [torch.tensor(tokenizer.encode(word).ids) for word in words]
        ids = torch.nn.utils.rnn.pad_sequence(encoded, batch_first=True, padding_value=tiny_generators.PAD)
        return ids, ids != tiny_generators.PAD

    def words(count: int) -> list[str]:
        return ["".join(random.choice([*"abcdefgh"], random.integers(2, 7))) for _ in range(count)]

    steps = 400
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        batch = words(64)
        ids, mask = rows(batch)
        wanted, _ = rows([word[::-1] for word in batch])
        given = torch.nn.functional.pad(wanted[:, 1:-1], (1, 0), value=tiny_generators.EOS)
        logits = model(input_ids=ids, attention_mask=mask.long(), decoder_input_ids=given).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted[:, 1:].flatten(),
                                                 ignore_index=tiny_generators.PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    asked = words(200)
    ids, mask = rows(asked)
    batch = Batch(ids.numpy(), mask.numpy(), None, np.zeros(200, bool))
    marks = Marks((tiny_generators.EOS,), tiny_generators.PAD, (tiny_generators.EOS,))
    for decoding in (Decoding(max_new_tokens=16), Decoding(max_new_tokens=16, num_beams=3)):
        written = generate(model, batch, decoding, marks, text_of=tokenizer.decode, rows=range(200))
        assert np.mean([one.text == word[::-1] for one, word in zip(written, asked, strict=True)]) > 0.95


def test_half_a_character_at_the_end_of_a_cut_text_is_left_out() -> None:
    def spelt(numbers: Sequence[int]) -> str:
        return bytes(numbers).decode("utf-8", errors="replace")

    def written(*ids: int) -> tuple[str, str]:
        found = Ending(Marks((2,), 1), (), spelt, torch.tensor([2])).result(ids, 0.0)
        return found.text, found.finish

    whole = tuple("你好".encode())
    assert written(*whole[:5]) == ("你", "length")
    assert written(*whole) == ("你好", "length")
    assert written(*whole[:5], 2) == ("你\ufffd", "stop")
