"""Which column means what: by the names people use, then by looking at the values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

TEXT_NAMES = (
    "text", "sentence", "content", "senttext", "review", "reviewtext", "reviewbody", "comment", "comments",
    "commenttext", "tweet", "message", "msg", "utterance", "query", "anchor", "question", "document", "doc", "body",
    "post", "news", "article", "description", "complaint", "feedback", "narrative", "input", "inputs", "prompt",
    "phrase", "statement", "headline", "title", "subject", "summary", "abstract", "texta", "sentence1",
    "文本", "内容", "正文", "评论", "评论内容", "评价", "评价内容", "句子", "语句", "文章", "新闻", "微博",
    "微博中文内容", "微博内容", "留言", "反馈", "投诉内容", "问题", "提问", "描述", "标题", "摘要",
)
"""Names of a text column, the likelier first, as ``plain`` writes them."""

PAIR_NAMES = (
    ("sentence1", "sentence2"), ("texta", "textb"), ("text1", "text2"), ("text", "textb"), ("text", "textpair"),
    ("text", "text2"), ("sentencea", "sentenceb"), ("sentence", "sentenceb"), ("sentence", "sentence2"),
    ("premise", "hypothesis"), ("question1", "question2"), ("query1", "query2"), ("q1", "q2"), ("s1", "s2"),
    ("questiona", "questionb"), ("querya", "queryb"), ("title1", "title2"), ("string1", "string2"),
    ("文本1", "文本2"), ("文本a", "文本b"), ("句子1", "句子2"), ("句子a", "句子b"),
    ("问题1", "问题2"), ("前提", "假设"),
)
"""Names of the two columns of a pair."""

LABELLED_PAIRS = tuple((one, other) for one, others in (
    ("question", ("sentence", "context", "passage", "answer")), ("query", ("document", "title", "passage", "response")),
    ("claim", ("evidence",)), ("问题", ("答案", "回答")), ("查询", ("标题", "文档")),
) for other in others)
"""Names of two columns that are a pair where a label stands beside them; without one they are other things."""

LABEL_NAMES = (
    "labeltext", "labelname", "goldlabel", "label", "labels", "target", "targets", "category", "categories", "class",
    "classes", "classlabel", "sentiment", "intent", "intents", "emotion", "emotions", "polarity", "topic", "topics",
    "tag", "tags", "annotation", "y", "output", "stars", "rating", "score", "queue", "department", "team", "reason",
    "relation",
    "标签", "标记", "标注", "类别", "分类", "类型", "种类",
    "情感", "情感倾向", "情感极性", "情感标签", "情绪", "意图", "主题", "话题", "极性", "评分", "星级", "目标",
)
"""Names of a label column, the likelier first."""

NUMBER_NAMES = ("similarity", "similarityscore", "relatedness", "relatednessscore", "value", "相似度", "得分", "分数")
"""Names of a column of numbers that is learned; those of ``LABEL_NAMES`` come first."""

TOKEN_NAMES = ("tokens", "words", "chars", "characters", "tokenlist", "tokenizedtext", "词", "字")
"""Names of a column that holds a text as a list of its tokens."""

TAG_NAMES = ("nertags", "tags", "tag", "nerlabels", "bio", "iob", "labels", "ner", "label", "targets", "标签", "标注")
"""Names of a column that holds a tag for each token, the likelier first."""

SPAN_NAMES = ("entities", "spans", "ents", "annotations", "completions", "ner", "entity", "label", "labels",
              "实体", "标注", "标签")
"""Names of a column that holds the marked spans of a text, the likelier first."""

ID_NAMES = ("id", "idx", "index", "guid", "uid", "number", "no", "编号", "序号")
"""Names of a column that only numbers the rows."""

UNNAMED = re.compile(r"column_\d+")
"""What columns are called where a table gives them no names."""
_NUMBERS_ROWS = re.compile(r"(?:.*[\s_\-./])?(?i:[pq]?id)\d*|.*[a-z]I[dD]\d*")

_ROLE_KEYS = ({"role", "content"}, {"from", "value"}, {"role", "text"})
"""Of a message of a conversation, as chat formats and ShareGPT have them."""

_ALL_NAMES = frozenset((*TEXT_NAMES, *LABEL_NAMES, *(name for pair in PAIR_NAMES for name in pair),
                        *ID_NAMES, *TOKEN_NAMES, *TAG_NAMES, *SPAN_NAMES))


_HEADINGS = frozenset((
    "messages", "conversations", "conversation", "dialogue", "dialog", "source", "src", "tgt", "instruction", "prompt",
    "response", "completion", "summary", "article", "document", "query", "question", "context", "passage", "anchor",
    "positive", "negative", "原文", "译文", "指令", "输出", "对话", "问题", "回答", "摘要", "查询"))
"""Names of columns of other tasks, which alone in a first row are surely a heading."""


def plain(name: str) -> str:
    """Return a column name without case, spaces, underscores and hyphens."""
    return re.sub(r"[\s_\-./]+", "", name).casefold()


def numbers_rows(name: str) -> bool:
    """Tell whether a column is called like the numbers of rows or of things: ``id``, ``qid1``, ``product_id``."""
    return plain(name) in ID_NAMES or _NUMBERS_ROWS.fullmatch(name.strip()) is not None


def is_known(name: str) -> bool:
    """Tell whether people use this name for a column of text, labels or ids."""
    return plain(name) in _ALL_NAMES


def is_heading(name: str) -> bool:
    """Tell whether a cell that stands alone in a first row is the name of a column."""
    return is_known(name) or plain(name) in _HEADINGS


def are_messages(value: Any) -> bool:
    """Tell whether a value is the list of messages of a conversation."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(one, Mapping) and any(keys <= set(one) for keys in _ROLE_KEYS) for one in value)


def named_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """Return the two columns that are called like a pair of texts."""
    listed = {plain(column): column for column in reversed(columns)}
    for first, second in PAIR_NAMES:
        if first in listed and second in listed:
            return listed[first], listed[second]
    return None


def asked_or_named(columns: Sequence[str], asked: str | None, names: Sequence[str],
                   taken: Sequence[str | None]) -> str | None:
    """Return the free column that the caller asked for; with none asked for, that with the likeliest of the names."""
    free = [column for column in columns if column not in taken]
    if asked is None:
        return named(free, names)
    return asked if asked in free else named(free, [plain(asked)])


def named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the column with the likeliest of these names, or ``None``."""
    return next(iter(matching(columns, names)), None)


def matching(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns with any of these names, as ``plain`` writes them, the likeliest first."""
    listed = {plain(column): column for column in reversed(columns)}
    return [listed[name] for name in names if name in listed]


def shown(columns: Sequence[str]) -> str:
    """Return the names of columns for a message."""
    listed = ", ".join(repr(name) for name in columns[:20])
    return listed + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")


def longest_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str | None:
    """Return the column that holds most text: the longest strings, each counted once; numbers do not count as text."""
    amounts = {column: _amount([cell for row in rows if (cell := row.get(column)) not in (None, "")])
               for column in columns}
    return max((column for column in columns if amounts[column]), key=lambda column: amounts[column], default=None)


def _amount(cells: Sequence[Any]) -> int:
    words = [cell for cell in cells if isinstance(cell, str) and not is_number(cell)]
    if 2 * len(words) <= len(cells):
        return 0
    # In bytes of UTF-8, which is fair to Chinese: a character says about as much as three letters.
    return sum(len(word[:1000].encode("utf-8", errors="replace")) for word in set(words))


def few_values(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Return the columns that hold few distinct short values, the fewest first: labels look like that."""
    found: list[tuple[int, int, str]] = []
    for position, column in enumerate(columns):
        if plain(column) in ID_NAMES:
            continue
        cells = [repr(cell) for row in rows if (cell := row.get(column)) not in (None, "")]
        distinct = set(cells)
        short = all(len(cell) <= 80 for cell in distinct)
        if cells and short and 2 <= len(distinct) <= max(2, len(cells) // 2):
            found.append((len(distinct), -position, column))
    return [column for _, _, column in sorted(found)]


def is_number(cell: str) -> bool:
    """Tell whether a cell's text is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
