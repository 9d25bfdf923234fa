"""What a finished run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.data import DataReport
from luthier.inference import Opening, Predictor, open_fastest
from luthier.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Run:
    """A finished, verified run."""

    path: Path
    """The bundle."""
    recipe: Recipe = field(repr=False)
    """Every setting as it was used."""
    scores: dict[str, Any]
    """System (``baseline``, ``untuned``, ``tuned``) -> its test scores with confidence intervals."""
    data_report: DataReport = field(repr=False)
    """What was read, dropped and split."""
    warnings: tuple[str, ...] = ()
    """What the user should look at before trusting the model."""
    seconds: dict[str, float] = field(default_factory=dict, repr=False)
    """Stage -> wall-clock seconds."""

    @property
    def report(self) -> Path:
        """The self-contained HTML report."""
        return self.path / "report" / "index.html"

    def predictor(self) -> Predictor:
        """Open the bundle, replaying its probes, with the recipe's threads and no hub where it asked for none."""
        return open_fastest(self.path, Opening(threads=self.recipe.threads, offline=self.recipe.offline))[0]
