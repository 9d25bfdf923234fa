"""Scoring systems side by side on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.evaluation import Evaluation, compare, evaluate, fit_baseline
from luthier.evaluation.evaluate import PredictsTexts
from luthier.pipeline.loading import Loaded
from luthier.recipe import spawn


def assess(predictor: PredictsTexts, loaded: Loaded) -> Evaluation:
    """Score a predictor on the test split with the recipe's settings."""
    recipe = loaded.recipe
    seed = spawn(recipe.seed, "bootstrap")
    return evaluate(predictor, loaded.dataset.test, loaded.dataset.labels, recipe.evaluation, seed=seed)


def assess_baseline(loaded: Loaded) -> Evaluation:
    """Fit the baseline on the train split and score it."""
    recipe = loaded.recipe
    threshold = recipe.task.get("threshold", 0.5)
    seed = spawn(recipe.seed, "baseline")
    baseline = fit_baseline(loaded.dataset, loaded.report.language, threshold=threshold, seed=seed)
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
        if tuned.labels.of_numbers:
            gain = f"{difference.value:+.4g} of RMSE [{difference.low:+.4g}, {difference.high:+.4g}]"
            found.append(_said(name, difference.verdict, gain))
            continue
        points = (100 * difference.value, 100 * difference.low, 100 * difference.high)
        gain = "{:+.1f} points of {} [{:+.1f}, {:+.1f}]".format(points[0], tuned.main_metric_title, *points[1:])
        found.append(_said(name, difference.verdict, gain))
    return found


def _said(name: str, verdict: str, gain: str) -> str:
    if verdict == "better":
        return f"tuned is better than {name}: {gain}"
    if verdict == "worse":
        return f"tuned is WORSE than {name}: {gain}; use the {name}, or more rows, epochs or a larger model"
    return f"no significant difference between tuned and {name}: {gain}"
