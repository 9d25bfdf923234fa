"""The bundle: one directory that carries a tuned model, what it must answer, and the proof that it still does.

A bundle is a Hugging Face directory with something more: ``luthier.json`` (the manifest, written last, with the hash
of every other file), ``probes.jsonl`` (texts with the ids and logits they gave on the day of writing) and ``report/``.
This package reads and writes the directory; it knows no tensors. Opening and replaying live in ``luthier.inference``.
"""

from luthier.bundle.card import model_card
from luthier.bundle.manifest import (
    FORMAT,
    MANIFEST,
    Base,
    FileRecord,
    LengthPolicy,
    Licence,
    Manifest,
    TaskRecord,
    installed_versions,
)
from luthier.bundle.probes import EXACT, PROBES, RESTORE, Probe, compare, read_probes, write_probes
from luthier.bundle.read import check_files, check_labels, check_tokenizer, read_manifest
from luthier.bundle.write import seal, staged

__all__ = [
    "EXACT",
    "FORMAT",
    "MANIFEST",
    "PROBES",
    "RESTORE",
    "Base",
    "FileRecord",
    "LengthPolicy",
    "Licence",
    "Manifest",
    "Probe",
    "TaskRecord",
    "check_files",
    "check_labels",
    "check_tokenizer",
    "compare",
    "installed_versions",
    "model_card",
    "read_manifest",
    "read_probes",
    "seal",
    "staged",
    "write_probes",
]
