from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.errors import DataError
from luthier.serving.batcher import Batcher, BatchRun
from luthier.serving.refusal import Refusal


@asynccontextmanager
async def running(fake: Any, **options: Any) -> AsyncIterator[Batcher]:
    batcher = Batcher(fake.predict, **{"max_batch": 64, **options})
    batcher.start()
    try:
        yield batcher
    finally:
        fake.gate.set()
        await batcher.close(5)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


async def hold(fake: Any, batcher: Batcher) -> asyncio.Task[Any]:
    """Keep the model busy with one request until the gate opens."""
    fake.gate.clear()
    fake.entered.clear()
    task = asyncio.create_task(batcher.submit(["held"]))
    await asyncio.to_thread(fake.entered.wait, 5)
    return task


def test_a_lone_request_is_dispatched_at_once_and_sets_no_timer(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            timers: list[Any] = []
            loop = asyncio.get_running_loop()
            with monkeypatch.context() as patch:
                patch.setattr(loop, "call_at", lambda *a, **k: timers.append(a))
                patch.setattr(loop, "call_later", lambda *a, **k: timers.append(a))
                fake.gate.clear()
                task = asyncio.create_task(batcher.submit(["alone"]))
                await asyncio.sleep(0)  # one turn of the loop: the request is handed over within it
                assert batcher.queued == 0
                fake.gate.set()
                assert (await task)[0].labels == ("odd",)
            assert timers == []
        assert fake.sizes == [1]

    run(test)


def test_no_texts_have_no_answers_and_stop_nothing(fake: Any) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            assert await batcher.submit([]) == []
            assert (await batcher.submit(["alone"]))[0].labels == ("odd",)

    run(test)


def test_concurrent_requests_share_the_next_batch_while_the_model_is_busy(fake: Any) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            held = await hold(fake, batcher)
            texts = ["x" * (n + 1) for n in range(40)]
            crowd = [asyncio.create_task(batcher.submit([text])) for text in texts]
            await asyncio.sleep(0)
            assert batcher.queued == 40
            fake.gate.set()
            answers = await asyncio.gather(*crowd)
            await held
            assert [answer[0].labels for answer in answers] == [fake.expect(text).labels for text in texts]
        assert fake.sizes == [1, 40]

    run(test)


def test_a_large_request_is_cut_and_a_lone_text_rides_in_the_next_batch(fake: Any) -> None:
    async def test() -> None:
        async with running(fake, max_batch=8) as batcher:
            held = await hold(fake, batcher)
            large = asyncio.create_task(batcher.submit(["x" * (n + 1) for n in range(20)]))
            await asyncio.sleep(0)
            lone = asyncio.create_task(batcher.submit(["lone"]))
            await asyncio.sleep(0)
            fake.gate.set()
            await lone
            assert "lone" in fake.batches[1]
            assert [p.labels for p in await large] == [fake.expect("x" * (n + 1)).labels for n in range(20)]
            await held
        assert max(fake.sizes) <= 8

    run(test)


@settings(max_examples=25)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), max_batch=st.integers(1, 7))
def test_every_caller_gets_its_own_answers_in_order(make_fake: Any, sizes: list[int], max_batch: int) -> None:
    async def test() -> None:
        fake = make_fake()
        requests = [["x" * (10 * n + k + 1) for k in range(size)] for n, size in enumerate(sizes)]
        async with running(fake, max_batch=max_batch) as batcher:
            answers = await asyncio.gather(*(batcher.submit(texts) for texts in requests))
        for texts, answer in zip(requests, answers, strict=True):
            assert [p.to_dict() for p in answer] == [fake.expect(text).to_dict() for text in texts]
        assert sum(fake.sizes) == sum(sizes)

    run(test)


@pytest.mark.parametrize(("bad", "kind", "message"), [
    ("refuse me", DataError, "one text is refused"),
    ("crash me", Refusal, "the model failed on this request"),
    ("break me", Refusal, "the model failed on this request"),
])
def test_one_bad_request_never_fails_its_neighbours(fake: Any, bad: str, kind: type[Exception], message: str) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            held = await hold(fake, batcher)
            tasks = [asyncio.create_task(batcher.submit([text])) for text in ("good", bad, "fine")]
            await asyncio.sleep(0)
            fake.gate.set()
            good, refused, fine = await asyncio.gather(*tasks, return_exceptions=True)
            await held
            assert isinstance(good, list)
            assert isinstance(fine, list)
            assert isinstance(refused, kind)
            assert message in str(refused)
            assert "secret" not in str(refused)

    run(test)


def test_a_model_that_loses_an_answer_is_an_error_and_not_a_shift(fake: Any) -> None:
    async def test() -> None:
        fake.predict = lambda texts: [fake.expect(text) for text in texts[1:]]
        async with running(fake) as batcher:
            with pytest.raises(Refusal, match="the model gave 1 answers to 2 texts") as caught:
                await batcher.submit(["a", "b"])
            assert caught.value.status == 500  # the caller did nothing wrong

    run(test)


def test_a_failed_part_takes_the_rest_of_its_request_out_of_the_queue(fake: Any) -> None:
    async def test() -> None:
        async with running(fake, max_batch=2) as batcher:
            with pytest.raises(DataError):
                await batcher.submit(["refuse me", *["x"] * 20])
            assert batcher.queued == 0
        assert sum(fake.sizes) < 10

    run(test)


def test_a_cancelled_request_leaves_the_queue(fake: Any) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            held = await hold(fake, batcher)
            gone = asyncio.create_task(batcher.submit(["gone"] * 5))
            stays = asyncio.create_task(batcher.submit(["stays"]))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.wait([gone])
            assert batcher.queued == 1
            fake.gate.set()
            await asyncio.gather(held, stays)
        assert fake.batches == [["held"], ["stays"]]

    run(test)


def test_a_full_queue_refuses_and_says_when_to_come_back(fake: Any) -> None:
    async def test() -> None:
        async with running(fake, max_queue=4) as batcher:
            held = await hold(fake, batcher)
            first = asyncio.create_task(batcher.submit(["x"] * 10))  # finds none waiting: taken, whatever its size
            await asyncio.sleep(0)
            with pytest.raises(Refusal, match="the queue is full: 10 texts wait and 1 more would pass 4") as refusal:
                await batcher.submit(["y"])
            assert refusal.value.status == 429
            assert int(refusal.value.headers["retry-after"]) >= 1
            fake.gate.set()
            await asyncio.gather(held, first)

    run(test)


def test_closing_answers_what_was_accepted_and_refuses_the_rest(fake: Any) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            held = await hold(fake, batcher)
            waiting = asyncio.create_task(batcher.submit(["waiting"]))
            await asyncio.sleep(0)
            closing = asyncio.create_task(batcher.close(5))
            await asyncio.sleep(0)
            with pytest.raises(Refusal, match="the server is stopping"):
                await batcher.submit(["late"])
            fake.gate.set()
            assert await closing
            assert len(await held) == len(await waiting) == 1

    run(test)


def test_closing_gives_up_on_a_model_that_hangs(fake: Any) -> None:
    async def test() -> None:
        async with running(fake) as batcher:
            held = await hold(fake, batcher)
            assert not await batcher.close(0.01)
            fake.gate.set()
            await held

    run(test)


def test_each_batch_is_reported_with_the_waits_of_the_requests_that_entered(fake: Any) -> None:
    async def test() -> None:
        seen: list[BatchRun] = []
        async with running(fake, max_batch=4, on_batch=seen.append) as batcher:
            await batcher.submit(["x"] * 6)
        assert [run.rows for run in seen] == [4, 2]
        assert [len(run.waits) for run in seen] == [1, 0]
        assert all(run.seconds >= 0 for run in seen)

    run(test)
