"""Settings of a task on the command lines that use a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SETTINGS_HELP = ("How the task answers, such as task.threshold=0.7 or task.decoding.num_beams=4. [default: as in "
                 "training]")


def task_settings(given: Sequence[str] | None) -> dict[str, Any]:
    """Return what ``task.key=value`` words say, below ``task``.

    Raises:
        RecipeError: one is no such word, or names another section.
    """
    from luthier.errors import RecipeError
    from luthier.recipe import apply_overrides

    values = apply_overrides({}, given or ())
    others = [name for name in values if name != "task"]
    if others or not isinstance(values.get("task", {}), dict):
        raise RecipeError(f"{(others or ['task'])[0]!r} is nothing that a bundle can be used with otherwise",
                          "settings of its task can be changed: write task.key=value, such as task.threshold=0.7")
    found: dict[str, Any] = values.get("task", {})
    return found
