"""The form of SemEval-2010 Task 8: a number and a sentence in quotation marks, below it the relation and a comment.

A blank line ends a row (Hendrickx et al., 2010: ``TRAIN_FILE.TXT``). The sentence keeps its tags ``<e1>`` and ``<e2>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from luthier.data.readers._encoding import DAMAGE, decode_head, open_text, resolve
from luthier.data.rows import BadRow, Record

SUFFIXES: tuple[str, ...] = (".txt",)
IS_TEXT = True

_SENTENCE = re.compile(r'(\d+)\t"(.*)"\s*')
_COMMENT = "Comment:"


def sniff(path: Path, head: bytes) -> bool:  # noqa: ARG001  (names like these are any text's)
    """Accept text that begins with a numbered sentence in quotation marks, and a line below it without a tab."""
    lines = (decode_head(head) or "").lstrip("\ufeff\n\r ").split("\n", 2)
    return len(lines) > 1 and _SENTENCE.fullmatch(lines[0]) is not None and "\t" not in lines[1]


def records(path: Path, encoding: str | None) -> Iterator[Record | BadRow]:
    """Yield a row for each sentence, lazily: its ``text`` and ``label``, with the line of the sentence."""
    with open_text(path, resolve(path, encoding)) as file:
        started: list[str] = []
        first = 0
        for number, line in enumerate(file, start=1):
            text = (line.removeprefix("\ufeff") if number == 1 else line).strip()
            if text and _SENTENCE.fullmatch(text) and started:  # no blank line between
                yield _record(first, started)
                started = []
            if text:
                first = first if started else number
                started.append(text)
            elif started:
                yield _record(first, started)
                started = []
        if started:
            yield _record(first, started)


def _record(line: int, lines: list[str]) -> Record | BadRow:
    if any(DAMAGE in text for text in lines):
        return BadRow(line, "bytes that do not belong to the file's encoding")
    found = _SENTENCE.fullmatch(lines[0])
    if found is None:
        return BadRow(line, f'expected a number, a tab and a sentence in quotation marks, came {lines[0][:40]!r}')
    label = next((text for text in lines[1:] if not text.startswith(_COMMENT)), None)
    return Record(line, {"text": found[2], "label": label})
