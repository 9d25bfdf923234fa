"""``luthier verify``: every check on a bundle, each with its outcome, so that one fault does not hide the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from luthier.bundle import (
    Manifest,
    Probe,
    check_files,
    check_labels,
    check_tokenizer,
    read_manifest,
    read_probes,
)
from luthier.errors import LuthierError, ProbeError
from luthier.inference.inputs import encoded
from luthier.inference.opening import assemble, open_encoder, open_task
from luthier.inference.predictor import Predictor
from luthier.inference.replaying import answer, as_documents, differences, ids_of, rows_of


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its outcome."""

    name: str
    """``manifest``, ``files``, ``labels``, ``ids`` or ``logits``."""
    ok: bool
    detail: str
    """What was compared, or what is wrong."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All checks of one bundle."""

    path: Path
    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """Return one line a check."""
        return [f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}" for check in self.checks]


def verify(
    path: str | Path, *, backend: str = "torch", device: str | None = None, threads: int | None = None,
    offline: bool = False,
) -> VerifyReport:
    """Check a bundle: manifest, file hashes, label names, token ids and probe answers.

    Each check runs whatever the others found, except that nothing can be checked without a manifest. Nothing is raised
    for a faulty bundle: see ``VerifyReport.ok``.
    """
    directory = Path(path).expanduser().resolve()
    try:
        manifest = read_manifest(directory)
    except LuthierError as error:
        return VerifyReport(directory, (Check("manifest", False, error.problem),))
    said = f"{manifest.kind}, {len(manifest.labels)} labels, written {manifest.created} by Luthier {manifest.luthier}"

    def logits() -> str:
        opened = assemble(directory, manifest, backend=backend, device=device, threads=threads, offline=offline)
        with opened as predictor:
            return _logits(predictor, directory)

    return VerifyReport(directory, (
        Check("manifest", True, said),
        _check("files", lambda: _files(directory, manifest)),
        _check("labels", lambda: _labels(directory, manifest)),
        _check("ids", lambda: _ids(directory, manifest)),
        _check("logits", logits),
    ))


def compare_with_memory(path: str | Path, memory: Predictor, *, offline: bool = False) -> Predictor:
    """Reload a bundle that was just written and compare it with the model it was written from.

    Every check of ``Predictor.open`` runs, and then the logits of all probes must be equal to the bit: the same weights
    on the same machine have no reason to differ.

    Args:
        path: the written bundle, before or after it took its place.
        memory: the model as it was tuned, with the same encoder settings.
        offline: never ask a model hub.

    Returns:
        The reopened bundle, ready to predict.

    Raises:
        ProbeError: labels, ids or logits differ.
        BundleError: it cannot be opened.
    """
    reopened = Predictor.open(path, backend=memory.backend.name, device=memory.backend.device, offline=offline)
    recorded = read_probes(Path(path))
    rows = rows_of(recorded)
    before, after = answer(memory, rows, recorded), answer(reopened, rows, recorded)
    faults = differences(before, after, memory.backend.tolerance)
    apart = float(np.max(np.abs(_every(before) - _every(after)), initial=0.0)) if not faults else 0.0
    if apart > 0:
        faults = [f"logits differ by up to {apart:.3g}, expected the same bits"]
    if faults:
        raise ProbeError(f"the bundle just written to {path} does not answer like the model in memory: {faults[0]}",
                         "nothing was replaced; please report this with the recipe, it is a fault of Luthier's own")
    return reopened


def _every(probes: list[Probe]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the probes' logits, one after the other, float64."""
    return np.asarray([score for probe in probes for score in probe.logits], dtype=np.float64)


def _check(name: str, run: Callable[[], str]) -> Check:
    try:
        return Check(name, True, run())
    except LuthierError as error:
        return Check(name, False, error.problem)
    except Exception as error:  # noqa: BLE001 - a bundle may be damaged in any way, and to find that is what this is for
        return Check(name, False, f"{type(error).__name__}: {error}")


def _files(directory: Path, manifest: Manifest) -> str:
    check_files(directory, manifest)
    size = sum(record.bytes for record in manifest.files.values())
    return f"{len(manifest.files)} files, {size / 1e6:.1f} MB, every size and sha256 as recorded"


def _labels(directory: Path, manifest: Manifest) -> str:
    check_labels(directory, manifest)
    for probe in read_probes(directory):
        if probe.names != manifest.output_names:
            raise ProbeError("the probes were recorded with other label names or another order than the manifest has")
    return f"{len(manifest.output_names)} names in the same order in config, manifest and probes"


def _ids(directory: Path, manifest: Manifest) -> str:
    check_tokenizer(directory)
    probes = read_probes(directory)
    rows = rows_of(probes)
    given = as_documents(rows) if manifest.labels.of_tokens else rows
    found = ids_of(encoded(open_encoder(directory, manifest), *open_task(manifest), given), len(rows))
    for probe, ids in zip(probes, found, strict=True):
        if probe.ids != ids:
            raise ProbeError(f"probe {probe.shown} gives {len(ids)} other token ids than when the bundle was written")
    return f"{len(probes)} probes give the same {sum(len(probe.ids) for probe in probes):,} token ids"


def _logits(predictor: Predictor, directory: Path) -> str:
    expected = read_probes(directory)
    got = answer(predictor, rows_of(expected), expected)
    faults = differences(expected, got, predictor.backend.tolerance)
    if faults:
        raise ProbeError(f"{len(faults)} of {len(expected)} probes are answered differently; {faults[0]}")
    apart = float(np.max(np.abs(_every(expected) - _every(got))))
    return f"{len(expected)} probes give the same logits (largest difference {apart:.1e}) and labels"
