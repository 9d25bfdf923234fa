"""Write ``scores.json`` and ``index.html``, each whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from luthier.evaluation.report.content import Report, scores_document
from luthier.evaluation.report.page import page


def write_report(directory: Path, report: Report) -> None:
    """Write both files into the directory, which is made when it is missing.

    Raises:
        DataError: the report holds no system.
    """
    document = json.dumps(scores_document(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    html = page(report)
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "scores.json", document)
    _write(directory / "index.html", html)


def _write(path: Path, text: str) -> None:
    """Write under a temporary name and rename, so that a reader never meets half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # noqa: S103 - mkstemp makes it private; a report is as readable as its bundle
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
