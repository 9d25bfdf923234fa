"""What is done with a bundle: open it, and score it on a file."""

from __future__ import annotations

import json as jsonlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from luthier.data import Columns, kind_of, learned, read_all
from luthier.data.scoring import scored_rows
from luthier.errors import DataError
from luthier.evaluation import Evaluation, Report, write_report
from luthier.evaluation import evaluate as score
from luthier.inference import Opening, Predictor, open_fastest, unreadable
from luthier.pipeline.files import check_directory, check_output, whole_file
from luthier.pipeline.layouts import layout_of, recipe_of
from luthier.recipe import EvaluationSettings, spawn
from luthier.schema import Example
from luthier.text.normalize import Form
from luthier.text.said import Said
from luthier.tuning import Listener

_TELLING = 10
"""Rows from which on one answer to all of them says something of the model."""


def load(
    bundle: str | Path, *, backend: str = "auto", threads: int | None = None, offline: bool = False,
    task: Mapping[str, Any] | None = None,
) -> Predictor:
    """Open a bundle, check its files and replay its probes.

    Args:
        bundle: directory of a bundle.
        backend: what computes: ``torch`` is the reference; ``auto`` takes the fastest that agrees with the probes.
            All add an adapter to its base's weights.
        threads: CPU threads; all cores when left out.
        offline: never ask a model hub for an adapter's base.
        task: settings of the task that only decide how it answers, such as ``{"threshold": 0.7}`` or ``{"decoding":
            {"num_beams": 4}}``; as in training when left out.

    Raises:
        BundleError: it is missing, incomplete or not what was written.
        RecipeError: a setting of the task cannot be changed so.
    """
    return open_fastest(bundle, Opening(backend, threads=threads, offline=offline, task=task or {}))[0]


def evaluate(
    bundle: str | Path,
    data: str | Path,
    *,
    columns: Columns | None = None,
    json: str | Path | None = None,
    report: str | Path | None = None,
    settings: EvaluationSettings | None = None,
    opening: Opening | None = None,
    listener: Listener | None = None,
) -> Evaluation:
    """Score a bundle on a labelled file.

    Args:
        bundle: directory of a bundle.
        data: labelled file.
        columns: where text and label stand; as in training when left out.
        json: where to write the scores.
        report: directory for an HTML report.
        settings: resamples and coverage of the confidence intervals.
        opening: backend, device and threads; chosen when left out, as for serving.
        listener: gets a ``note`` event for the backend, each column that was inferred and each row left out, and a
            ``warning`` where rows were learned from, or answers tell that nothing was.

    Returns:
        The scores; their ``warnings`` tell how many rows the bundle was tuned on, if any, and why it seems to have
        learned nothing, if it does.

    Raises:
        DataError: the file cannot be used, or holds labels that the bundle does not know.
    """
    if json is not None:
        check_output(Path(json), data)
    if report is not None:
        check_directory(Path(report))
    predictor, chosen = open_fastest(bundle, opening)
    examples, notes = _read(predictor, data, columns)
    tell = listener or (lambda _: None)
    for text in (chosen, *notes):
        tell({"event": "note", "text": text})
    for text in predictor.manifest.warnings if predictor.manifest else ():
        tell({"event": "warning", "text": f"from its tuning: {text}"})
    seed = spawn(recipe_of(predictor).get("seed", 0), "bootstrap")
    if settings is None:  # as deep as in training, so that the scores can be compared
        depth = recipe_of(predictor).get("evaluation", {}).get("candidates")
        settings = EvaluationSettings() if depth is None else EvaluationSettings(candidates=depth)
    scored, examples, unread = _scored(predictor, examples, settings, seed)
    for text in unread:
        tell({"event": "note", "text": text})
    seen = _seen(predictor, Path(bundle), examples)
    scored = replace(scored, warnings=(*_known(seen, len(examples)), *_doubts(scored)))
    for text in scored.warnings:
        tell({"event": "warning", "text": text})
    if json is not None:
        numbers = {"bundle": Path(bundle).name, "rows": len(examples), "seen_in_training": seen,
                   **scored.to_dict()}
        with whole_file(Path(json)) as file:
            jsonlib.dump(numbers, file, ensure_ascii=False, indent=1)
    if report is not None:
        named = {"--text": columns.text, "--text-b": columns.text_b, "--label": columns.label} if columns else {}
        options = [word for option, column in named.items() if column for word in (option, column)]
        changed = [f"task.{name}={jsonlib.dumps(value)}" for name, value in opening.task.items()] if opening else []
        again = shlex.join(["luthier", "evaluate", str(bundle), str(data), *changed, *options, "--report", str(report)])
        write_report(Path(report), Report(
            title=f"{Path(bundle).name}: {Path(data).name}", systems={"tuned": scored}, settings=settings, seed=seed,
            created=datetime.now(UTC).isoformat(timespec="seconds"), commands={"evaluate": again},
            warnings=scored.warnings,
        ))
    return scored


def _read(predictor: Predictor, data: str | Path, columns: Columns | None) -> tuple[list[Example], list[str]]:
    """Return the rows of a file as they are scored, and what there is to say of them.

    Raises:
        DataError: the file cannot be used, or holds labels that the bundle does not know.
    """
    layout = layout_of(predictor, data, columns, labelled=True)
    examples, bad = read_all(layout, max_bad_rows=_tolerated(predictor))
    kind = kind_of(predictor.labels.problem_type)
    examples, lost = scored_rows(examples, kind, form_of(predictor))
    told = [f"left out line {row.line}: {row.reason}" for row in bad] + lost
    unknown = sorted({name for row in examples for name in row.label_names} - predictor.labels.known)
    if unknown:
        raise DataError(f"{data} holds labels that the bundle does not know: {', '.join(unknown[:10])}",
                        f"the bundle knows: {', '.join(predictor.labels.names[:20])}")
    return examples, [*layout.notes, *told]


def form_of(predictor: Predictor) -> Form:
    """Return the normal form of the rows that a model learned from."""
    return predictor.manifest.normalize if predictor.manifest else "none"


def _tolerated(predictor: Predictor) -> int:
    """Return how many bad rows may be left out, as in training."""
    most: int = recipe_of(predictor).get("data", {}).get("max_bad_rows", 100)
    return most


def _scored(predictor: Predictor, examples: list[Example], settings: EvaluationSettings,
            seed: int) -> tuple[Evaluation, list[Example], list[str]]:
    """Score the rows; return those that were scored, too, and why the model cannot read the others.

    Raises:
        DataError: the rows cannot be scored, or too many cannot be read.
    """
    try:
        return score(predictor, examples, predictor.labels, settings, seed=seed), examples, []
    except DataError:
        bad = dict(unreadable(predictor, [row.text_input for row in examples]))
        if not bad:
            raise
        if len(bad) > min(_tolerated(predictor), len(examples) - 1):
            number, error = next(iter(bad.items()))
            raise DataError(f"{len(bad)} of {len(examples)} rows cannot be read, the first {examples[number].id}: "
                            f"{error.said}", error.fix) from None
    kept = [row for number, row in enumerate(examples) if number not in bad]
    told = [f"left out {examples[number].id}: {error.said}" for number, error in bad.items()]
    return score(predictor, kept, predictor.labels, settings, seed=seed), kept, told


def _seen(predictor: Predictor, bundle: Path, examples: Sequence[Example]) -> dict[str, int]:
    """Count the rows that nearly equal rows that the bundle was tuned on; empty where it does not say on which."""
    file = bundle / "report" / learned.FILE
    if predictor.manifest is None or not file.is_file():
        return {}
    return learned.known(examples, jsonlib.loads(file.read_text(encoding="utf-8")))


def _known(seen: Mapping[str, int], rows: int) -> tuple[str, ...]:
    told = {"train": ("were learned from", "行参与了训练"), "valid": ("chose the best step", "行用于选择最佳步数")}
    known = [name for name in told if seen.get(name)]
    if not known:
        return ()
    english, chinese = (mark.join(f"{seen[name]:,} {told[name][place]}" for name in known)
                        for place, mark in enumerate((", ", "、")))
    every = f"{sum(seen.values()):,}"
    return (Said(f"{every} of {rows:,} rows, or rows nearly equal to them, were in the training data ({english}): the "
                 "scores say less of new rows",
                 f"{rows:,} 行中有 {every} 行（或与之几乎相同的行）出现在训练数据中（{chinese}）："
                 "分数不能充分代表新数据上的表现"),)


def _doubts(scored: Evaluation) -> list[str]:
    """Return why the model seems to have learned nothing; a few rows, or rows all answered rightly, do not tell."""
    return scored.kind.doubts(scored) if scored.wrong and scored.scores.rows >= _TELLING else []
