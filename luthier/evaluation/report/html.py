"""Small builders of markup. Everything that comes from data passes through ``esc``."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import partial

from luthier.evaluation.intervals import Interval
from luthier.evaluation.kind import Form
from luthier.evaluation.report.words import every_word
from luthier.text import figures
from luthier.text.said import Said

MINUS = "\N{MINUS SIGN}"

# Control characters other than tab and line breaks, and lone surrogates: browsers and parsers choke on them.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def esc(text: object) -> str:
    """Return text that is safe between tags and inside quoted attributes."""
    return html.escape(_UNSAFE.sub("\N{REPLACEMENT CHARACTER}", str(text)), quote=True)


def both(key: str, **values: object) -> str:
    """Return the sentence of that key in both languages; the reader's switch shows one.

    Values are escaped; a value that is itself a key of the words (``system``, ``other``, ``what``) is said in each
    language.
    """
    return "".join(f'<span class="{code}" lang="{code}">{text}</span>' for code, text in spoken(key, values))


def in_both(sentence: str) -> str:
    """Return a sentence, escaped, in both languages where it has both."""
    if not isinstance(sentence, Said):
        return esc(sentence)
    return "".join(f'<span class="{code}" lang="{code}">{esc(text)}</span>'
                   for code, text in (("en", sentence), ("zh", sentence.chinese)))


def spoken(key: str, values: dict[str, object]) -> list[tuple[str, str]]:
    """Return ``[("en", …), ("zh", …)]``, escaped; an unknown key is said as it is."""
    words = every_word()
    texts = words.get(key, (key, key))
    result = []
    for column, code in enumerate(("en", "zh")):
        said = {
            name: esc(
                _in_sentence(words[value][column], code)
                if isinstance(value, str) and name in {"system", "other", "what"} and value in words
                else value
            )
            for name, value in values.items()
        }
        text = esc(texts[column])
        result.append((code, re.sub(r"\{(\w+)\}", partial(_value, said), text)))
    return result


def tooltip(key: str, **values: object) -> str:
    """Return one plain sentence with both languages, for places that hold no markup."""
    return " / ".join(dict.fromkeys(text for _, text in spoken(key, values)))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, css: str = "", text_columns: int = 1) -> str:
    """Return a table of ready markup; all but the first columns are numbers, set to the right."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{'' if c < text_columns else ' class=num'}>{cell}</{tag}>" for c, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    head = f"<thead><tr>{cells(heads, 'th')}</tr></thead>"
    return f'<div class="scroll"><table class="{css}">{head}<tbody>{body}</tbody></table></div>'


def section(key: str, lead: str, body: str, command: str | None = None, *, title: str = "") -> str:
    """Return a section with its heading (of another key than its own if there is one), its lead and its command."""
    head = f'<section id="{key}"><h2>{both(title or key)}</h2>'
    return f'{head}<p class="lead">{lead}</p>{body}{command_line(command)}</section>'


def command_line(command: str | None) -> str:
    """Return the line that shows a command; one click selects it."""
    if not command:
        return ""
    return f'<p class="command"><span>{both("reproduce_with")}</span><code>{esc(command)}</code></p>'


def percent(value: float, digits: int = 1) -> str:
    """Return a share in [0, 1] as ``91.2%``."""
    return f"{100 * value:.{digits}f}%"


def signed_points(value: float) -> str:
    """Return a difference of shares as points, ``+9.1`` or ``−0.4`` with a true minus sign."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text.replace("-", MINUS)


def amount(value: float, *, signed: bool = False) -> str:
    """Return a number in the data's unit, with a true minus sign."""
    return figures.amount(value, signed=signed).replace("-", MINUS)


def written(value: float, form: Form) -> str:
    """Return a metric as its form has it: ``91.2%``, ``0.912`` or ``12.35``."""
    if form == "amount":
        return amount(value)
    return percent(value) if form == "share" else f"{value:.3f}".replace("-", MINUS)


def signed(value: float, form: Form) -> str:
    """Return a difference of metrics with its sign; of shares in points."""
    if form == "amount":
        return amount(value, signed=True)
    return signed_points(value) if form == "share" else f"{value:+.3f}".replace("-", MINUS)


def bracket(interval: Interval, form: Form) -> str:
    """Return an interval as it stands behind its metric."""
    if form == "share":  # the sign stands before it
        return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return f"[{written(interval.low, form)}, {written(interval.high, form)}]"


def cell(interval: Interval, form: Form) -> str:
    """Return a metric with its interval, as a table shows them."""
    return f"{written(interval.value, form)}<small>{bracket(interval, form)}</small>"


def count(value: int) -> str:
    """Return a whole number with thousands apart: ``12,480``."""
    return f"{value:,}"


def clip(text: str, width: int) -> str:
    """Return the text cut to a display width (CJK characters count two), with an ellipsis when cut."""
    used = 0
    for position, char in enumerate(text):
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > width and not (used == width + 1 and position == len(text) - 1):
            return text[: max(1, position - 1)] + "…"
    return text


def _value(said: dict[str, str], match: re.Match[str]) -> str:
    return said.get(match[1], match[0])


def _in_sentence(text: str, code: str) -> str:
    """Return a system's name as it stands inside a sentence."""
    return text[0].lower() + text[1:] if code == "en" and not text[:2].isupper() else text
