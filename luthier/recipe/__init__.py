"""Typed settings: load, check, override, dump. A recipe is data, never code.

Hyper-parameters carry the names people know from Hugging Face. ``method`` and ``task`` are a name from a known list
plus that choice's own fields, which live in the choice's own file. All faults of a recipe are reported together.
"""

from luthier.recipe.decoding import Decoding
from luthier.recipe.loading import (
    CHOICES,
    SettingsOf,
    apply_overrides,
    build,
    choose,
    dump,
    parse_value,
    read,
    set_dotted,
)
from luthier.recipe.settings import (
    AUTO,
    MEMORY,
    NEW_MODEL,
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    NewModelSettings,
    PrepareSettings,
    Recipe,
    Settings,
    TrainSettings,
    ValidationSettings,
    spawn,
)

__all__ = [
    "AUTO",
    "CHOICES",
    "MEMORY",
    "NEW_MODEL",
    "DataSettings",
    "Decoding",
    "EvaluationSettings",
    "ModelSettings",
    "NewModelSettings",
    "PrepareSettings",
    "Recipe",
    "Settings",
    "SettingsOf",
    "TrainSettings",
    "ValidationSettings",
    "apply_overrides",
    "build",
    "choose",
    "dump",
    "parse_value",
    "read",
    "set_dotted",
    "spawn",
]
