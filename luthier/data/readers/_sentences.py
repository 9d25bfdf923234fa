"""Tables with one token a row, as they go around for named entities, joined to a row for each sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.cells.tags import is_meant_as_tag
from luthier.data.names import named
from luthier.data.rows import BadRow, Record

_SENTENCES = ("sentence#", "sentenceid", "sentenceno", "sentencenumber", "sentencenum", "sentenceidx", "sentid",
              "句子编号")
_TOKENS = ("word", "token", "words", "tokens", "字", "词")
_TAGS = ("nertag", "nertags", "tag", "tags", "ner", "bio", "iob", "label", "labels", "标签", "标注")
"""Names of the columns, as ``plain`` writes them, the likelier first."""


@dataclass(frozen=True, slots=True)
class TokenColumns:
    """The columns of a table with one token a row."""

    sentence: str
    """Numbers the sentences, on every row or on the first of each."""
    token: str
    tag: str

    @property
    def note(self) -> str:
        """Say what is done with the rows."""
        return (f"one token a row: the rows of each {self.sentence!r} are a sentence, {self.token!r} is read as "
                f"'tokens' and {self.tag!r} as 'ner_tags'")


def token_columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> TokenColumns | None:
    """Return the columns of a table with one token a row; ``None`` when it is another.

    Args:
        names: of all columns.
        rows: the first rows, whose tags must be tags.
    """
    sentence, token, tag = (named(names, known) for known in (_SENTENCES, _TOKENS, _TAGS))
    if sentence is None or token is None or tag is None:
        return None
    place = names.index(tag)
    tags = [str(row[place]) for row in rows if place < len(row) and row[place] not in (None, "")]
    return TokenColumns(sentence, token, tag) if tags and all(map(is_meant_as_tag, tags)) else None


def sentences(rows: Iterable[Record | BadRow], columns: TokenColumns) -> Iterator[Record | BadRow]:
    """Yield a row for each sentence, with the line of its first token.

    A bad row may be the last of one sentence or the first of the next: both are left out, and counted as bad rows.
    Where only first rows are numbered, a number behind a bad row begins a sentence that is whole.
    """
    before: Any = None
    sentence: list[Record] = []
    whole, first_numbered, after_bad = True, False, False
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            whole, after_bad = False, True
            continue
        number = row.values[columns.sentence]
        if number in (None, ""):
            first_numbered = True
        elif number != before:
            yield from _sentence(sentence, columns, whole=whole)
            before, sentence, whole = number, [], first_numbered or not after_bad
        sentence.append(row)
        after_bad = False
    yield from _sentence(sentence, columns, whole=whole)


def _sentence(rows: Sequence[Record], columns: TokenColumns, *, whole: bool) -> Iterator[Record | BadRow]:
    if rows:
        yield _joined(rows, columns) if whole else BadRow(rows[0].line, "a row of this sentence cannot be read")


def _joined(sentence: Sequence[Record], columns: TokenColumns) -> Record:
    cells = [("" if row.values[columns.token] is None else str(row.values[columns.token]), row.values[columns.tag])
             for row in sentence]
    return Record(sentence[0].line, {"tokens": [token for token, _ in cells], "ner_tags": [tag for _, tag in cells]})
