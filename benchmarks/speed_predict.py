"""How fast a bundle labels texts, beside ``transformers.pipeline``: a file at a time, and one text at a time.

    python -m benchmarks.speed_predict --data DIR                       # about half an hour on two cores
    python -m benchmarks.speed_predict --data DIR --part one --rounds 3

Both sides run the same weights on the same texts, in one process and in turns. A file is read, labelled and written,
opening the model included. The pipeline gets batches of 32 (``pipeline``), and the best found for it on this machine:
bf16 weights, batches of 64 and texts sorted by length (``pipeline, best``). Texts are sentences of SST-2, joined until
they have the wanted number of tokens.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import heading
from benchmarks._roofline import Share, forward_flops, measure_shapes
from benchmarks._speed import take_turns
from benchmarks._texts import joined_texts
from luthier import plugins
from luthier.errors import LuthierError
from luthier.inference import Opening, Predictor, open_fastest
from luthier.models.hardware import cores
from luthier.models.sources import resolve
from luthier.pipeline import predict_file

MODELS = ("minilm-l6", "e5-small")
PARTS = ("file", "one")
TOKENS = 28
LONGEST = 512
"""Most tokens of a text."""
ROWS = 4000
"""Of a file in one round: at 100,000 a round of the pipeline takes a quarter of an hour."""
ONES = 400
"""Texts asked one at a time."""
WARM = 50
"""Texts asked before the clock runs, each time."""


@dataclass(frozen=True, slots=True)
class Work:
    """What all sides get."""

    model: str
    bundle: Path
    file: Path
    texts: list[str]
    place: Path
    threads: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed_predict",
                                     description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with sst2/train.jsonl")
    add("--model", action="append", help=f"one or several; {' and '.join(MODELS)} when left out")
    add("--bundle", type=Path, help="measure this bundle, instead of a fresh one with an untrained head")
    add("--part", action="append", choices=PARTS, help="one or both")
    add("--rows", type=int, default=ROWS, help="texts of the file in one round")
    add("--whole", type=int, default=0, help="then label a file of so many texts once, with Luthier alone")
    add("--rounds", type=int, default=5, help="measured rounds")
    add("--threads", type=int, default=cores(), help="CPU threads; all cores when left out")
    said = parser.parse_args(arguments)
    try:
        import torch

        torch.set_num_threads(said.threads)
        print(heading(said.threads), flush=True)
        for name in said.model or MODELS:
            with _work(name, said) as work:
                for part in said.part or PARTS:
                    {"file": compare_files, "one": compare_ones}[part](work, said.rounds)
                if said.whole:
                    label_whole(work, said)
    except LuthierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def _work(name: str, said: argparse.Namespace) -> Iterator[Work]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        texts = joined_texts(said.data, said.rows, TOKENS)
        bundle = said.bundle or make_bundle(name, place / "bundle")
        yield Work(name, bundle, _written(place / "texts.jsonl", texts), texts, place, said.threads)


def make_bundle(name: str, directory: Path) -> Path:
    """Write a bundle of a packaged model with a new head: its answers mean nothing, and cost what a tuned one's do."""
    from luthier.inference import tiny

    return tiny.make_bundle(directory, base=resolve(name).path, max_length=LONGEST)


def compare_files(work: Work, rounds: int) -> None:
    """Measure reading, labelling and writing a file."""
    predictor, chosen = open_fastest(work.bundle, Opening(threads=work.threads), measuring=True)
    lengths = predictor.encoder.encode_ragged(work.texts).lengths
    predictor.close()
    print(f"\n{work.model}, a file of {len(work.texts)} texts of {lengths.mean():.0f} tokens on average, "
          f"{lengths.max()} at most\n  {chosen}", flush=True)
    sides: dict[str, Callable[[], float]] = {
        "luthier": lambda: _timed(lambda: luthier_file(work)),
        "pipeline, best": lambda: _timed(lambda: pipeline_file(work, best=True)),
        "pipeline": lambda: _timed(lambda: pipeline_file(work, best=False)),
    }
    compared = take_turns(sides, rounds)
    for side in sides:
        print(f"  {side:16} {len(work.texts) / compared.median(side):8.1f} texts/s")
    for other in list(sides)[1:]:
        print(f"  luthier is {compared.ratio('luthier', other)} as fast as {other}")
    flops = forward_flops(work.model, lengths)
    shares = [Share(side, flops / compared.median(side)) for side in sides]
    print("\n".join(f"  {line}" for line in measure_shapes(work.model, 1024, shares)), flush=True)


def luthier_file(work: Work) -> None:
    """Label the file as ``luthier predict`` does."""
    predict_file(work.bundle, work.file, work.place / "luthier.jsonl", opening=Opening(threads=work.threads))


def pipeline_file(work: Work, *, best: bool) -> None:
    """Label the file as the documentation of ``transformers.pipeline`` does."""
    run = make_pipeline(work, best=best)
    rows = [json.loads(line)["text"] for line in work.file.read_text(encoding="utf-8").splitlines()]
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row])) if best else list(range(len(rows)))
    answers: list[Any] = [None] * len(rows)
    found = run((rows[row] for row in order), batch_size=64 if best else 32, truncation=True)
    for row, answer in zip(order, found, strict=True):
        answers[row] = answer
    with (work.place / "pipeline.jsonl").open("w", encoding="utf-8") as file:
        for text, answer in zip(rows, answers, strict=True):
            file.write(json.dumps({"text": text, **answer}, ensure_ascii=False) + "\n")


def make_pipeline(work: Work, *, best: bool) -> Any:
    """Return a text-classification pipeline on the bundle, which is a Hugging Face directory too."""
    import torch
    from transformers import pipeline

    return pipeline("text-classification", model=str(work.bundle), device="cpu",
                    **({"dtype": torch.bfloat16} if best else {}))


def compare_ones(work: Work, rounds: int) -> None:
    """Measure one text at a time, for every backend: each opened for its turn alone, because idle threads may spin."""
    texts = work.texts[:ONES]
    taken: dict[str, list[float]] = {}
    sides = {**{f"luthier, {name}": partial(_ask_luthier, work, name, texts, taken)
                for name in plugins.names("inference.backends")},
             "pipeline": partial(_ask_pipeline, work, texts, taken, best=False),
             "pipeline, best": partial(_ask_pipeline, work, texts, taken, best=True)}
    compared = take_turns(sides, rounds, tell=lambda _: None)
    print(f"\n{work.model}, {len(texts)} texts one at a time, {rounds} rounds")
    for name in sides:
        seen = np.asarray(taken[name][len(texts):])  # the first round only warms up
        print(f"  {name:22} p50 {np.percentile(seen, 50):6.2f} ms, p99 {np.percentile(seen, 99):6.2f} ms, "
              f"{len(texts) / compared.median(name):6.1f} texts/s")
    best = min((name for name in sides if name.startswith("luthier")), key=lambda name: statistics.median(taken[name]))
    for other in ("pipeline", "pipeline, best"):
        print(f"  {best} is {compared.ratio(best, other)} as fast as {other}", flush=True)


def _ask_luthier(work: Work, backend: str, texts: Sequence[str], taken: dict[str, list[float]]) -> float:
    with Predictor.open(work.bundle, backend=backend, threads=work.threads) as predictor:
        return _each(lambda text: predictor.predict([text]), texts, taken.setdefault(f"luthier, {backend}", []))


def _ask_pipeline(work: Work, texts: Sequence[str], taken: dict[str, list[float]], *, best: bool) -> float:
    return _each(make_pipeline(work, best=best), texts, taken.setdefault("pipeline, best" if best else "pipeline", []))


def label_whole(work: Work, said: argparse.Namespace) -> None:
    """Label a large file once with Luthier."""
    file = _written(work.place / "whole.jsonl", joined_texts(said.data, said.whole, TOKENS))
    done = predict_file(work.bundle, file, work.place / "whole-out.jsonl", opening=Opening(threads=work.threads))
    print(f"\n{work.model}, {done.rows} texts from file to file: {done.seconds:.1f} s, "
          f"{done.rows / done.seconds:.0f} texts/s", flush=True)


def _written(file: Path, texts: Sequence[str]) -> Path:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    return file


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _each(ask: Callable[[str], Any], texts: Sequence[str], taken: list[float]) -> float:
    """Ask for each text, add the milliseconds of each to ``taken`` and return the seconds of all."""
    for text in texts[:WARM]:
        ask(text)
    first = time.perf_counter()
    for text in texts:
        began = time.perf_counter()
        ask(text)
        taken.append(1e3 * (time.perf_counter() - began))
    return time.perf_counter() - first


if __name__ == "__main__":
    sys.exit(main())
