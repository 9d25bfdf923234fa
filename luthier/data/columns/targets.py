"""Which columns hold texts and what shall be written for them: by names that only such files have.

Hugging Face keeps translations as ``{"translation": {"en": …, "de": …}}``; a column within an object is named with a
dot, ``translation.en``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from luthier.data import names as roles
from luthier.data.layout_values import Seen

Rows = Sequence[Mapping[str, Any]]

TEXT_TO_TEXT = "text-to-text"
"""Name of the task."""

PAIRS = (
    ("source", "target"), ("src", "tgt"), ("sourcetext", "targettext"), ("sourcetext", "translation"),
    ("inputtext", "targettext"), ("article", "highlights"), ("article", "summary"), ("document", "summary"),
    ("dialogue", "summary"), ("dialog", "summary"), ("conversation", "summary"), ("text", "summary"),
    ("content", "summary"), ("text", "translation"), ("sentence", "translation"), ("article", "abstract"),
    ("incorrect", "correct"),
    ("原文", "译文"), ("源文本", "目标文本"), ("正文", "摘要"), ("文章", "摘要"), ("对话", "摘要"), ("内容", "摘要"),
    ("文本", "摘要"),
)
"""Names of a source and its target, as ``plain`` writes them, the likelier first."""
_SURE = frozenset((("src", "tgt"), ("sourcetext", "targettext"), ("sourcetext", "translation"), ("dialogue", "summary"),
                   ("dialog", "summary"), ("conversation", "summary"), ("incorrect", "correct"), ("原文", "译文"),
                   ("源文本", "目标文本"), ("对话", "摘要")))
"""Those that mean nothing else: a topic or a field beside them labels nothing."""
_LABELS = ("label", "labels", "goldlabel", "labeltext", "class", "target", "score", "rating", "标签", "标记", "标注",
           *roles.NUMBER_NAMES)
"""Names of what is learned even beside these."""
ASKED_PAIRS = (("input", "output"), ("inputs", "targets"), ("input", "target"), ("prompt", "completion"),
               ("text", "target"), ("text", "label"), ("question", "answer"))
"""Names that other tasks have as well: only where the task was asked for."""
SOURCE_NAMES = tuple(dict.fromkeys(source for source, _ in (*PAIRS, *ASKED_PAIRS)))
TARGET_NAMES = tuple(dict.fromkeys(target for _, target in (*PAIRS, *ASKED_PAIRS)))
LANGUAGES = frozenset((
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "id",
    "it", "ja", "ko", "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "th",
    "tr", "uk", "ur", "vi", "zh", "enus", "engb", "zhcn", "zhtw", "zhhans", "zhhant", "ptbr", "英文", "中文", "英语",
    "汉语", "法语", "德语", "日语"))
"""Codes and names of languages that columns of parallel texts are called, as ``plain`` writes them."""
_DISTINCT = 0.5
"""Share of targets that must differ: labels repeat, texts mostly do not."""


def cell_of(values: Mapping[str, Any], column: str) -> Any:
    """Return the cell of a column, or of one within an object: ``translation.en``; ``None`` without."""
    if column in values:
        return values[column]
    outer, dot, inner = column.partition(".")
    within = values.get(outer)
    return within.get(inner) if dot and isinstance(within, Mapping) else None


def flat_columns(seen: Seen) -> tuple[str, ...]:
    """Return the columns, with those of parallel texts within an object named one by one."""
    found: dict[str, None] = {}
    for column in seen.present:
        inner = dict.fromkeys(str(key) for row in seen.rows if isinstance(row.get(column), Mapping)
                              for key in row[column])
        if inner and all(roles.plain(key) in LANGUAGES for key in inner):
            found |= dict.fromkeys(f"{column}.{key}" for key in inner)
        else:
            found[column] = None
    return tuple(found)


def named_targets(present: Sequence[str], *, asked: bool) -> tuple[str, str] | None:
    """Return the columns that are called like a source and its target, or like two languages."""
    listed = {roles.plain(column): column for column in reversed(present)}
    for source, target in (*PAIRS, *(ASKED_PAIRS if asked else ())):
        if source in listed and target in listed:
            return listed[source], listed[target]
    # A column "id" numbers the rows, unless it stands within an object of languages: then it is Indonesian.
    spoken = [column for column in present if roles.plain(column.rpartition(".")[2]) in LANGUAGES
              and roles.plain(column) not in roles.ID_NAMES]
    return (spoken[0], spoken[1]) if len(spoken) == 2 else None


def unnamed_targets(seen: Seen, present: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two columns of texts in a table without a header, as parallel texts are laid out."""
    if not all(roles.UNNAMED.fullmatch(column) for column in present):
        return None
    texts = [column for column in present if are_targets(seen.rows, column) and _prose(seen.rows, column)]
    return (texts[0], texts[1]) if len(texts) > 1 else None


def _prose(rows: Rows, column: str) -> bool:
    """Tell whether most cells of a column have words, and are no numbers of documents or addresses of pages."""
    cells = [str(cell) for row in rows if (cell := row.get(column)) not in (None, "")]
    return 2 * sum(not cell.isascii() or len(cell.split()) > 1 for cell in cells) > len(cells)


def are_texts(rows: Rows, source: str, target: str) -> bool:
    """Tell whether the cells of two columns are texts, and those of the second no labels, which repeat."""
    sources = [cell for row in rows if (cell := cell_of(row, source)) not in (None, "")]
    return bool(sources) and all(isinstance(cell, str) for cell in sources) and are_targets(rows, target)


def are_targets(rows: Rows, column: str) -> bool:
    """Tell whether the cells of a column are texts, or lists of texts, and no labels, which repeat."""
    targets = [cell for row in rows if (cell := cell_of(row, column)) not in (None, "", [])]
    if not targets or not all(isinstance(cell, str) or _is_texts(cell) for cell in targets):
        return False
    spelt = [repr(cell) for cell in targets]
    numeric = all(isinstance(cell, str) and roles.is_number(cell) for cell in targets)
    return len(set(spelt)) > _DISTINCT * len(spelt) and not numeric


def labels_beside(rows: Rows, present: Sequence[str], taken: Sequence[str]) -> str | None:
    """Return a column that labels the texts, beside a source and a target: then the target is only a second text.

    It is called like a label or a number, or holds few different values.
    """
    free = [column for column in present if column not in taken]
    named = roles.named(free, (*roles.LABEL_NAMES, *roles.NUMBER_NAMES))
    likely = [named] if named else roles.few_values(rows, free)
    return likely[0] if likely else None


def are_surely_texts(seen: Seen, present: Sequence[str], pair: tuple[str, str]) -> bool:
    """Tell whether two columns called like a source and its target are that, and what else there is labels nothing."""
    if not are_texts(seen.rows, *pair):
        return False
    free = [column for column in present if column not in pair]
    if (roles.plain(pair[0]), roles.plain(pair[1])) in _SURE:
        return roles.named(free, _LABELS) is None
    if roles.plain(pair[1]) in roles.LABEL_NAMES:  # what only holds few values is no likelier label than the target
        return roles.named(free, (*roles.LABEL_NAMES, *roles.NUMBER_NAMES)) is None
    return labels_beside(seen.rows, present, pair) is None


def beside(seen: Seen, present: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Return what to say of a column that looks like a label beside a source and its target, which are learned."""
    label = labels_beside(seen.rows, present, pair)
    return [f"column {label!r} is not learned: --task text-classification --label {label} learns it instead"
            ] if label else []


def passed_over(seen: Seen) -> list[str]:
    """Return what to say of a file with sources and targets that is read for the label beside them."""
    return alike(seen, named_targets(flat_columns(seen), asked=False), TEXT_TO_TEXT,
                 "texts and what is to be written for them")


def alike(seen: Seen, pair: tuple[str, str] | None, task: str, what: str) -> list[str]:
    """Return what to say of two columns that look like those of another task, where nobody named others."""
    if pair is None or seen.columns.text or seen.columns.label or not are_texts(seen.rows, *pair):
        return []
    return [f"columns {pair[0]!r} and {pair[1]!r} look like {what}: --task {task} learns that instead of the label"]


def _is_texts(cell: Any) -> bool:
    return isinstance(cell, list | tuple) and all(isinstance(one, str) for one in cell)
