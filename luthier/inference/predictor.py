"""The predictor: texts in, predictions out. Evaluation, the command line and the server all call this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from luthier import plugins
from luthier.bundle import RESTORE, Manifest, check_files, check_labels, check_tokenizer, read_manifest
from luthier.errors import BundleError, LuthierError, ModelError
from luthier.inference.backend import Backend
from luthier.inference.batching import plan
from luthier.inference.inputs import checked, encoded
from luthier.inference.modelling import check_fills, check_masks, filled, fills, is_of_documents, likelihoods
from luthier.inference.writing import check_writes, log_shares, write, writes
from luthier.models.outputs import in_order
from luthier.schema import Bool, Conversation, Float32, LabelSet, Logits, Marked, TextInput

if TYPE_CHECKING:
    from luthier.models.blocks import BlockEncoder
    from luthier.models.encoding import Encoder, Ragged

WINDOW = 4096
"""Rows that ``stream`` holds at once (twice: one window is computed while the next is read and encoded)."""

WRITTEN = 256
"""Rows that it holds at once where texts are written, which takes so long that the first are wanted early."""

CHARACTERS = 1 << 22
"""Characters that it holds at once, about, at eight outputs a token: the logits of windows take room."""

_REPLACED_WHILE_OPENING = 3
"""Times that a bundle is looked at again because another was put in its place meanwhile."""


@dataclass(eq=False)
class Predictor:
    """An encoder, a backend and a task's decoding, put together. ``Predictor.open`` opens a bundle."""

    backend: Backend
    encoder: Encoder
    labels: LabelSet
    task: ModuleType
    """A file of ``luthier/tasks/``: its ``decode`` turns logits into predictions."""
    task_settings: Any
    """The task's own ``Settings``."""
    pair: bool | None
    """Whether one row is two texts; ``None`` where it may be one or two."""
    name: str
    """What the server and the logs call it."""
    manifest: Manifest | None = None
    """The opened bundle's manifest; ``None`` for a model in memory."""

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        backend: str = "torch",
        check: bool = True,
        device: str | None = None,
        threads: int | None = None,
        offline: bool = False,
    ) -> Predictor:
        """Open a bundle, and prove that it answers as on the day it was written.

        Args:
            path: the bundle's directory.
            backend: a name of ``inference/backends/``.
            check: compare file hashes and the tokenizer, and replay the probes; labels are always compared.
            device: where to run; a CUDA device if there is one, when left out.
            threads: CPU threads.
            offline: never ask a model hub for an adapter's base.

        Raises:
            BundleError: missing, half-written, changed, or not what its manifest says.
            ProbeError: it answers its probes differently; the message says which, what was expected and what came.
            ModelError: an adapter's base model cannot be found, or the device is not there.
        """
        options = {"backend": backend, "device": device, "threads": threads, "offline": offline}
        directory = Path(path).expanduser()
        for _ in range(_REPLACED_WHILE_OPENING):
            before = _identity(directory)
            try:
                return _proved(directory.resolve(), check=check, **options)
            except BundleError:
                # Half of the old bundle and half of a new one is no fault of either: look again.
                if _identity(directory) == before:
                    raise
        return _proved(directory.resolve(), check=check, **options)

    def predict(self, texts: Sequence[TextInput]) -> list[Any]:
        """Return one answer a row, in order: a ``Prediction`` of a classifier, ``Entities`` where spans are labelled,
        ``FoundAnswer`` where questions are answered, ``Estimate`` where numbers are learned, ``Generated`` where texts
        are written, ``Filled`` where masks are filled in; where texts are compared, the ``Embedding`` of a text and the
        ``Similarity`` of a pair; and of language models the ``Likelihood`` of each, where rows are ``Document``s.

        Args:
            texts: N texts, or N pairs of texts for a pair bundle; where texts are compared, either, and a ``Passage``
                is embedded as one; N ``Marked`` texts (or their JSON form) where relations are told; where
                conversations are answered also lists of messages, or objects that hold them under ``messages``.

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        rows = self._checked(texts)
        ragged = self.encode(rows)
        return self.answers(ragged, rows)

    def logits(self, texts: Sequence[TextInput]) -> tuple[Logits, Bool]:
        """Return the logits, (N, C) float32 or an array (T, C) for each window, and which lost their end, in order.

        Of the S texts of rows that are compared, their vectors, (S, D).

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        ragged = self.encode(self._checked(texts))
        return self.compute(ragged), ragged.truncated

    def encode(self, texts: Sequence[TextInput]) -> Ragged:
        """Return the token ids of N texts, as the task needs them."""
        return encoded(self.encoder, self.task, self.task_settings, texts)

    def compute(self, ragged: Ragged) -> Logits:
        """Return the logits of texts that are encoded already, (N, C) float32 or an array (T, C) for each window.

        Raises:
            ModelError: the bundle writes texts, or tells hidden tokens.
        """
        if fills(self.task):
            raise ModelError(f"{self.name} tells hidden tokens, and has no logits of a text as a whole", "use predict")
        if writes(self.task):
            raise ModelError(f"{self.name} writes texts, and has no logits of a text as a whole", "use predict")
        if not len(ragged):
            return [] if self.labels.per_token else np.empty((0, len(self.labels)), np.float32)
        batches = plan(ragged.lengths, max_tokens=self.backend.max_tokens)
        answers = self.backend.run_all(self.encoder.collate(ragged, rows) for rows in batches)
        return in_order(batches, answers, ragged.lengths)

    def answers(self, ragged: Ragged, texts: Sequence[TextInput]) -> list[Any]:
        """Return one answer for each of N texts that are encoded already."""
        if is_of_documents(ragged, texts):
            return list(likelihoods(self.backend, cast("BlockEncoder", self.encoder), ragged))
        if fills(self.task):
            told = filled(self.backend, cast("BlockEncoder", self.encoder), ragged, texts, self.task_settings.top_k)
            given: list[Any] = self.task.decode(told, ragged, texts, self.labels, self.task_settings)
            return given
        if not writes(self.task):
            return self.decode(self.compute(ragged), ragged, texts)
        written = write(self.backend, self.encoder, ragged, self.task_settings.decoding)
        found: list[Any] = self.task.decode(written, ragged, texts, self.labels, self.task_settings)
        return found

    def weigh(self, texts: Sequence[TextInput], answers: Sequence[str]) -> list[Float32]:
        """Return how likely each token of N given answers is, after the right ones before it: natural logarithms, (T,).

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        return log_shares(self.backend, self.encoder, self.encode(self._checked(texts)), answers)

    def decode(self, logits: Logits, ragged: Ragged, texts: Sequence[TextInput]) -> list[Any]:
        """Turn the logits of N texts into one answer each."""
        answers: list[Any] = self.task.decode(logits, ragged, texts, self.labels, self.task_settings)
        return answers

    def stream(self, rows: Iterable[TextInput], *, window: int = WINDOW) -> Iterator[Any]:
        """Yield one answer a row, in order, while holding two windows of rows and no more.

        The next window is encoded in a second thread while this one is computed. ``rows`` is only ever read in the
        caller's thread. Closing the iterator early stops both.

        Args:
            rows: any number of texts or pairs, read as they are needed.
            window: rows sorted by length together; more is a little faster and takes more memory.

        Raises:
            DataError: something else than a text came; the message names the row.
        """
        if window < 1:
            raise ValueError(f"window must be 1 or more, got {window}")
        source = iter(rows)
        with ThreadPoolExecutor(1, thread_name_prefix="luthier-encode") as encoding:
            window = min(window, WRITTEN) if writes(self.task) else window
            done, room = 0, CHARACTERS * 8 // max(8, len(self.task.outputs(self.labels)))
            ahead: tuple[Sequence[TextInput], Future[Ragged]] | None = None
            while True:
                part = self._checked(_next(source, window, room), first=done)
                done += len(part)
                current, ahead = ahead, (part, encoding.submit(self.encode, part)) if part else None
                if current is not None:
                    texts, ragged = current[0], current[1].result()
                    yield from self.answers(ragged, texts)
                if ahead is None:
                    return

    def _checked(self, rows: Sequence[Any], first: int = 0) -> Sequence[TextInput]:
        found = checked(rows, pair=self.pair, relations=self.labels.of_relations,
                        conversations=self.labels.of_dialogues, first=first)
        if self.labels.of_masks:
            check_masks(found, first)
        return found

    def close(self) -> None:
        """Let go of the weights."""
        self.backend.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _next(source: Iterator[Any], window: int, room: int) -> list[Any]:
    """Return the next rows: so many, or fewer where they have more than ``room`` characters together."""
    rows: list[Any] = []
    for row in source:
        rows.append(row)
        room -= _size(row)
        if len(rows) == window or room <= 0:
            break
    return rows


def _size(row: Any) -> int:
    """Return the characters of something that may be a row."""
    if isinstance(row, Marked):
        return len(row.text)
    held = row.values() if isinstance(row, Mapping) else row if isinstance(row, tuple | list | Conversation) else (row,)
    return sum(len(part) for part in held if isinstance(part, str))


def _identity(directory: Path) -> tuple[int, int] | None:
    """Return what changes when another directory takes this one's place."""
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _proved(directory: Path, *, check: bool, **options: Any) -> Predictor:
    """Put a bundle together with the checks of ``Predictor.open``."""
    from luthier.inference.replaying import replay

    manifest = read_manifest(directory)
    if check:
        check_files(directory, manifest)
        check_tokenizer(directory)
    check_labels(directory, manifest)
    predictor = assemble(directory, manifest, **options)
    if check:
        replay(predictor, directory)
    return predictor


def assemble(
    directory: Path, manifest: Manifest, *, backend: str = "torch", device: str | None = None,
    threads: int | None = None, offline: bool = False,
) -> Predictor:
    """Put a bundle's parts together without any check; ``Predictor.open`` is what callers want.

    Raises:
        BundleError: a part cannot be opened.
        ModelError: an adapter's base model cannot be found, or the device is not there.
    """
    task, settings = open_task(manifest)
    encoder = open_encoder(directory, manifest)
    module = plugins.load("inference.backends", backend)
    if writes(task):
        check_writes(backend, module)
    if fills(task):
        check_fills(backend, module)
    opened = module.load(
        directory, manifest, threads=threads, device=device, offline=offline)
    return Predictor(opened, encoder, manifest.labels, task, settings, manifest.pair, directory.name, manifest)


def open_encoder(directory: Path, manifest: Manifest) -> Encoder:
    """Open the bundle's own tokenizer with its length policy and normalisation.

    Raises:
        BundleError: it cannot be read.
    """
    from luthier.models.encoding import Encoder

    task, settings = open_task(manifest)
    try:
        if hasattr(task, "encoder"):
            own: Encoder = task.encoder(directory, settings, max_length=manifest.length.max_length,
                                        normalize=manifest.normalize, stored=True)
            return own
        return Encoder.load(directory, max_length=manifest.length.max_length, normalize=manifest.normalize,
                            overlap=manifest.length.overlap)
    except LuthierError as error:
        raise BundleError(f"cannot open the tokenizer of the bundle at {directory}: {error.problem}",
                          RESTORE) from error


def open_task(manifest: Manifest) -> tuple[ModuleType, Any]:
    """Return the manifest's task and its settings.

    Raises:
        BundleError: this Luthier has no such task, or the settings are not the task's.
    """
    from pydantic import ValidationError

    try:
        task = plugins.load("tasks", manifest.task.name)
        settings = task.Settings.model_validate(manifest.task.settings)
    except LuthierError as error:
        raise BundleError(f"the bundle's task cannot be opened: {error.problem}",
                          "install the package that offers the task, or a newer Luthier") from error
    except ValidationError as error:
        fault = error.errors()[0]
        raise BundleError(f"the bundle's settings of task {manifest.task.name!r} are not valid: "
                          f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}", RESTORE) from error
    if (manifest.labels.problem_type not in task.PROBLEMS
            or task.outputs(manifest.labels).names != manifest.output_names):
        raise BundleError(f"the bundle's labels are not those of task {manifest.task.name!r}", RESTORE)
    return task, settings
