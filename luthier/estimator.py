"""``Estimator`` and ``TextClassifier``: scikit-learn estimators over the same run, bundle and predictor as the
command line."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from luthier import plugins
from luthier.data import from_arrays, kind_of
from luthier.data.cells.labels import label_name
from luthier.data.scoring import scored_rows
from luthier.errors import DataError
from luthier.evaluation import evaluate
from luthier.inference import Predictor
from luthier.pipeline import Run, make_recipe, run, settle
from luthier.pipeline.using import form_of
from luthier.recipe import MEMORY, EvaluationSettings
from luthier.schema import (
    Answer,
    Embedding,
    Entities,
    Estimate,
    Example,
    FoundAnswer,
    Generated,
    Prediction,
    ProblemType,
    Relevance,
    Similarity,
    TextInput,
)

CLASSIFICATION = "text-classification"


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Tune a language model to any task with ``fit``, ask it with ``predict``, and score it with ``score``.

    Args:
        task: what is learned, such as ``regression``, ``named-entities``, ``question-answering`` or ``similarity``.
        model: packaged name, hub id or directory; ``auto`` chooses by language.
        method: ``full``, ``lora`` or ``freeze``.
        out: directory of the bundle; a temporary one that goes with the estimator when left out.
        settings: further recipe entries, such as ``{"train": {"num_train_epochs": 2}, "seed": 1}``.
        progress: show a progress bar.

    Attributes:
        run_: the finished run; ``run_.path`` is the bundle, and ``run_.predictor()`` opens it.
        problem_type_: what the labels are given to, told from ``y``.

    ``fit`` tunes on eight tenths of the rows, chooses the best step on one tenth and fills the bundle's report with
    the last; scikit-learn's own tools hold out rows of their own.
    """

    def __init__(
        self,
        task: str = CLASSIFICATION,
        model: str = "auto",
        method: str = "full",
        out: str | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = False,
    ) -> None:
        self.task = task
        self.model = model
        self.method = method
        self.out = out
        self.settings = settings
        self.progress = progress

    def fit(self, X: Sequence[Any], y: Sequence[Any] | None = None) -> Estimator:  # noqa: N803
        """Tune on N rows and what each of them is labelled with, as ``luthier.data.from_arrays`` takes them.

        Args:
            X: N texts; pairs of texts; of relations a text, its head and its tail; of dialogue texts or messages.
            y: N labels or lists of labels; numbers; of entities N lists of ``(start, end, label)``; of questions N
                lists of answers; texts to be written; of pairs that are compared a score, of queries their passages.
                Left out where a language is learned from texts alone.

        Raises:
            DataError: lengths differ, or the rows cannot be learned from.
            UnknownNameError: no such task.
        """
        texts = _rows(X)
        labels = [None] * len(texts) if y is None else list(y)
        if len(texts) != len(labels):
            raise DataError(f"fit got {len(texts)} texts and {len(labels)} labels", "give one label for each text")
        problem, examples = _examples(self._problems(), texts, labels)
        settings = dict(self.settings or {})
        own = settings.pop("task", {})
        recipe = make_recipe(MEMORY, {
            "task": {"name": self.task, **own}, "model": self.model, "method": self.method,
            "out": self.out or self._temporary(), "prepare": {"split": (0.8, 0.1, 0.1)},
            "evaluation": {"baseline": False, "untuned": False}, **settings,
        })
        loaded = settle(recipe, examples, problem_type=problem)
        self.run_: Run = run(recipe, progress=self.progress, restart=True, loaded=loaded)
        self.problem_type_: ProblemType = problem
        self._opened: Predictor = self.run_.predictor()
        given = {label_name(value): value for row in labels for value in _flat(row)}
        self._originals = {name: given[name] for name in self._opened.labels.names if name in given}
        return self

    def predict(self, X: Sequence[Any]) -> Any:  # noqa: N803
        """Return what the model says of N rows, in the form in which ``fit`` takes it.

        Returns:
            (N,) labels of the type that ``fit`` was given, or (N,) numbers; (N, D) vectors of texts that are compared,
            (N,) cosines or scores of pairs; else a list: of labels, of ``(start, end, label)``, the text that was found
            or written, or the order of passages.
        """
        said = [_plain(answer) for answer in self._answers(X)]
        if not self._predictor.labels.multi_label and all(isinstance(one, tuple) for one in said):
            return np.array([self._originals.get(name, name) for (name,) in said])
        if all(isinstance(one, float | np.ndarray) for one in said):
            return np.array(said)
        return [[self._originals.get(name, name) for name in one] if isinstance(one, tuple) else one for one in said]

    def score(self, X: Sequence[Any], y: Sequence[Any] | None = None) -> float:  # noqa: N803
        """Return the main metric of the task over N rows, more being better: an error comes with a minus sign.

        It is macro F1 of labels, entity F1, -RMSE of numbers, answer F1, Spearman's correlation or nDCG@10, chrF, and
        of language models the perplexity with a minus sign, without ``y``.
        """
        check_is_fitted(self, "run_")
        texts = _rows(X)
        examples = from_arrays(texts, [None] * len(texts) if y is None else list(y), problem_type=self.problem_type_)
        examples, _ = scored_rows(examples, kind_of(self.problem_type_), form_of(self._predictor))
        settings = EvaluationSettings(bootstrap=100)  # the intervals are not asked for
        found = evaluate(self._predictor, examples, self._predictor.labels, settings)
        value = found.scores.values[found.main_metric]
        return -value if found.main_metric in found.kind.LOWER_IS_BETTER else value

    def _problems(self) -> tuple[ProblemType, ...]:
        """Return what labels of this task may be given to."""
        problems: tuple[ProblemType, ...] = plugins.load("tasks", self.task).PROBLEMS
        return problems

    @property
    def _predictor(self) -> Predictor:
        """Return the opened bundle, opened again where this came out of a pickle."""
        if not hasattr(self, "_opened"):
            self._opened = self.run_.predictor()
        return self._opened

    def _answers(self, X: Sequence[Any]) -> list[Answer]:  # noqa: N803
        check_is_fitted(self, "run_")
        rows = from_arrays(_rows(X), None, problem_type=self.problem_type_)
        return self._predictor.predict([row.text_input for row in rows])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the opened model out: the bundle is where the weights are kept."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_opened", None)
        return state

    def _temporary(self) -> str:
        """Make a directory that goes when this estimator goes."""
        directory = mkdtemp(prefix="luthier-")
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        return str(Path(directory) / "bundle")


class TextClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Tune a language model to classes of texts, one each: ``Estimator``, and what scikit-learn's classifiers have.

    Args:
        model: packaged name, hub id or directory; ``auto`` chooses by language.
        method: ``full``, ``lora`` or ``freeze``.
        out: directory of the bundle; a temporary one that goes with the estimator when left out.
        settings: further recipe entries, such as ``{"train": {"num_train_epochs": 2}, "seed": 1}``.
        progress: show a progress bar.

    Attributes:
        classes_: (C,) label values, of the type that ``fit`` was given, in the bundle's order.
        run_: the finished run; ``run_.path`` is the bundle.

    ``score`` is the accuracy, as that of scikit-learn's classifiers.
    """

    def __init__(
        self,
        model: str = "auto",
        method: str = "full",
        out: str | None = None,
        settings: dict[str, Any] | None = None,
        progress: bool = False,
    ) -> None:
        super().__init__(CLASSIFICATION, model, method, out, settings, progress)

    def fit(self, X: Sequence[TextInput], y: Sequence[Any] | None = None) -> TextClassifier:  # noqa: N803
        """Tune on N texts (or pairs) and their N labels of any type.

        Raises:
            DataError: lengths differ, or the rows cannot be learned from.
        """
        super().fit(X, y)
        self.classes_ = np.array([self._originals[name] for name in self._predictor.labels.names])
        return self

    def _problems(self) -> tuple[ProblemType, ...]:
        """Return that one label is given to each text; several are for ``Estimator``."""
        return super()._problems()[:1]

    def predict_proba(self, X: Sequence[TextInput]) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return (N, C) float32 probabilities, columns in the order of ``classes_``."""
        rows = [answer.probabilities for answer in self._answers(X) if isinstance(answer, Prediction)]
        return np.array(rows, np.float32).reshape(len(rows), len(self.classes_))


def _rows(given: Sequence[Any]) -> list[Any]:
    """Return the rows of a list, array or column; one text alone would be taken for a list of letters."""
    if isinstance(given, str):
        raise DataError("expected a list of texts, came one text", "put it in a list: [text]")
    return list(given)


def _examples(problems: Sequence[ProblemType], rows: list[Any],
              labels: list[Any]) -> tuple[ProblemType, list[Example]]:
    """Return the first problem type that takes rows so labelled, and the examples.

    Raises:
        DataError: none does; the reason is the last one's.
    """
    for number, problem in enumerate(problems, 1):
        kind = kind_of(problem)
        try:
            examples = from_arrays(rows, labels, problem_type=problem)
            kind.check("fit", examples)
        except DataError:
            if number == len(problems):
                raise
            continue
        bad = next(((row.id, why) for row in examples if (why := kind.unlearnable(row))), None)
        if bad is not None:
            raise DataError(f"{bad[0]} cannot be learned from: {bad[1]}", "mend the row or leave it out")
        break
    return problem, examples


def _flat(label: Any) -> list[Any]:
    """Return the labels of a row, where they are such as names are made of."""
    values = list(label) if isinstance(label, list | tuple | set | np.ndarray) else [label]
    return [value for value in values if isinstance(value, str | int | float | bool | np.generic)]


@singledispatch
def _plain(answer: Answer) -> Any:
    """Return an answer as ``fit`` takes it: a number, a vector, a text or a list, and names of labels as a tuple.

    An answer that has no such form stays what it is.
    """
    return answer


@_plain.register
def _(answer: Prediction) -> tuple[str, ...]:
    return answer.labels


@_plain.register
def _(answer: Entities) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.entity_group) for one in answer.entities]


@_plain.register(Estimate)
@_plain.register(Relevance)
@_plain.register(Similarity)
def _(answer: Estimate | Relevance | Similarity) -> float:
    return answer.score


@_plain.register
def _(answer: Embedding) -> npt.NDArray[np.float32]:
    return answer.vector


@_plain.register
def _(answer: FoundAnswer) -> str:
    return answer.answer


@_plain.register
def _(answer: Generated) -> str:
    return answer.generated_text
