"""Workers: batches side by side, answers in order, and the caller's threads left as they were."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from luthier.inference.backends._workers import Workers
from luthier.inference.predictor import Predictor
from luthier.schema import Batch


def batch(number: int) -> Batch:
    ids = np.full((1, 2), number)
    return Batch(ids, np.ones((1, 2), np.bool_), None, np.zeros(1, np.bool_))


@pytest.fixture
def workers():
    made = Workers(2)
    yield made
    made.close()


def test_answers_come_in_order_whoever_is_first(workers) -> None:
    def run(given: Batch) -> np.ndarray:
        time.sleep(0.001 * (given.ids[0, 0] % 3))
        return given.ids[:, 0].astype(np.float32)

    got = [int(answer[0]) for answer in workers.map(run, run, map(batch, range(30)))]
    assert got == list(range(30))


def test_two_run_at_once(workers) -> None:
    together = threading.Barrier(2, timeout=10)

    def run(given: Batch) -> np.ndarray:
        together.wait()  # breaks when only one is there
        return np.zeros((1, 1), np.float32)

    assert len(list(workers.map(run, run, map(batch, range(4))))) == 4


def test_one_batch_is_left_to_the_caller(workers) -> None:
    def alone(given: Batch) -> np.ndarray:
        assert threading.current_thread() is threading.main_thread()
        return np.zeros((1, 1), np.float32)

    assert len(list(workers.map(alone, lambda _: pytest.fail("a worker was asked"), [batch(1)]))) == 1


def test_only_a_few_batches_are_read_ahead(workers) -> None:
    read = []

    def batches():
        for number in range(50):
            read.append(number)
            yield batch(number)

    def run(_: Batch) -> np.ndarray:
        return np.zeros((1, 1), np.float32)

    answers = workers.map(run, run, batches())
    next(answers)
    assert len(read) <= 5
    answers.close()


def test_a_worker_has_one_torch_thread_and_the_caller_keeps_its_own(full) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with Predictor.open(full, backend="torch-bf16", threads=2) as predictor:
            seen = []
            run = predictor.backend.forward
            predictor.backend.forward = lambda given: (seen.append(torch.get_num_threads()), run(given))[1]
            parts = [predictor.encoder.encode(["a", "b"])] * 6
            list(predictor.backend.run_all(parts))
            predictor.backend.run(parts[0])
        assert seen == [1] * 6 + [2]
        found = []
        later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert found == [2]
    finally:
        torch.set_num_threads(before)
