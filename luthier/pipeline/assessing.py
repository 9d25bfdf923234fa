"""Scoring systems side by side on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.evaluation import Difference, Evaluation, PredictsTexts, compare, evaluate, fit_baseline
from luthier.pipeline.loading import Loaded
from luthier.recipe import spawn
from luthier.text.figures import amount


def assess(predictor: PredictsTexts, loaded: Loaded) -> Evaluation:
    """Score a predictor on the test split with the recipe's settings."""
    recipe = loaded.recipe
    seed = spawn(recipe.seed, "bootstrap")
    return evaluate(predictor, loaded.dataset.test, loaded.dataset.labels, recipe.evaluation, seed=seed)


def assess_baseline(loaded: Loaded, encoder: Any) -> Evaluation:
    """Fit the baseline on the train split and score it; the encoder tells what a token is, where tokens are counted."""
    recipe = loaded.recipe
    threshold = recipe.task.get("threshold", 0.5)
    seed = spawn(recipe.seed, "baseline")
    baseline = fit_baseline(loaded.dataset, loaded.report.language, threshold=threshold, seed=seed,
                            vocabulary=encoder if loaded.dataset.labels.of_tokens else None)
    return assess(baseline, loaded)


def summarise(systems: Mapping[str, Evaluation], loaded: Loaded) -> dict[str, Any]:
    """Return the scores of every system, and sentences that say whether tuning was worth it."""
    scores = {name: system.to_dict() for name, system in systems.items()}
    return {"systems": scores, "verdicts": verdicts(systems, loaded)}


def verdicts(systems: Mapping[str, Evaluation], loaded: Loaded) -> list[str]:
    """Compare tuned with each other system on the same rows, in words."""
    found = []
    for name in ("baseline", "untuned"):
        if name not in systems or "tuned" not in systems:
            continue
        recipe = loaded.recipe
        seed = spawn(recipe.seed, "bootstrap")
        tuned = systems["tuned"]
        difference = compare(tuned, systems[name], recipe.evaluation, seed=seed)[tuned.main_metric]
        found.append(_said(name, difference.verdict, _gain(difference, tuned)))
    return found


def _gain(difference: Difference, tuned: Evaluation) -> str:
    """Return a difference with its unit and interval."""
    form = tuned.kind.METRICS[tuned.main_metric]
    unit, shown = {"share": (" points", lambda part: f"{100 * part:+.1f}"), "plain": ("", lambda part: f"{part:+.3f}"),
                   "amount": ("", lambda part: amount(part, signed=True))}[form]
    value, low, high = map(shown, (difference.value, difference.low, difference.high))
    return f"{value}{unit} of {tuned.main_metric_title} [{low}, {high}]"


def _said(name: str, verdict: str, gain: str) -> str:
    if verdict == "better":
        return f"tuned is better than {name}: {gain}"
    if verdict == "worse":
        return f"tuned is WORSE than {name}: {gain}; use the {name}, or more rows, epochs or a larger model"
    return f"no significant difference between tuned and {name}: {gain}"
