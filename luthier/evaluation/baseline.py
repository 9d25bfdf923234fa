"""What a simple model scores on the same rows.

A tuned language model that does not beat this is not worth its cost, so the report always shows both. To be a fair
opponent it chooses its settings on the validation rows, as the model chooses its best step there.
"""

from __future__ import annotations

from luthier.evaluation.kind import PredictsTexts, kind_of
from luthier.evaluation.token_frequencies import Vocabulary
from luthier.schema import Dataset


def fit_baseline(dataset: Dataset, language: str, *, threshold: float = 0.5, seed: int = 0,
                 vocabulary: Vocabulary | None = None) -> PredictsTexts:
    """Fit the simple model of the problem type on the train split; what it may choose, it chooses on the valid split.

    Args:
        dataset: prepared rows.
        language: of the texts: ``en``, ``zh``, ``mixed`` …; each kind makes of it what it needs.
        threshold: least probability of a chosen label, several labels only.
        seed: of the solver, where there is one.
        vocabulary: cuts texts as the model does that it is compared with, for kinds that count tokens.

    Raises:
        MissingExtraError: scikit-learn is not installed, where it is needed.
        DataError: the train split is empty or holds one class only, or a row is not labelled.
    """
    kind = kind_of(dataset.labels.problem_type)
    if vocabulary is not None and hasattr(kind, "baseline_of_tokens"):
        found: PredictsTexts = kind.baseline_of_tokens(dataset, vocabulary)
        return found
    return kind.baseline(dataset, language, threshold=threshold, seed=seed)
