"""The whole page: one HTML file without scripts, and without anything loaded from elsewhere."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

from luthier.evaluation.report.content import Report, comparisons
from luthier.evaluation.report.html import both, esc
from luthier.evaluation.report.sections.data import data
from luthier.evaluation.report.sections.errors import errors
from luthier.evaluation.report.sections.reproduce import reproduce
from luthier.evaluation.report.sections.scores import scores
from luthier.evaluation.report.sections.summary import hero, notices
from luthier.evaluation.report.sections.training import training
from luthier.evaluation.report.style import style_sheet
from luthier.evaluation.report.words import of_kind

# Nothing may be fetched, whatever a text in the page holds: the browser itself is told so.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

# A scroll with four strings: the head of a violin, drawn in five strokes.
_MARK = (
    '<svg viewBox="0 0 26 26" fill="none" stroke-width="1.7" stroke-linecap="round" aria-hidden="true">'
    '<path d="M9 24V10a5 5 0 1 1 5 5 2.6 2.6 0 1 1 0-5.2"/><path d="M14 24v-5M18.5 24V12"/>'
    '<path d="M5 13h4M5 18h4"/></svg>'
)

_FIRST = {"notices": notices, "scores": scores}
_LAST = {"errors": errors, "training": training, "data": data, "reproduce": reproduce}
"""Sections of every page, around those of the kind; those that have nothing to say of a report are left out."""


def page(report: Report) -> str:
    """Return the report as one HTML document."""
    main = report.systems[report.main]
    labels, own = main.labels, main.kind.PAGE.sections
    parts = {name: build(report) for name, build in {**_FIRST, **own, **_LAST}.items()}
    links = "".join(f'<a href="#{name}">{both(of_kind(name, labels))}</a>' for name, part in parts.items() if part)
    first = report.languages[0] if report.languages else "en"
    meta = " · ".join(
        part for part in (both("created", when=_when(report.created)) if report.created else "", _model(report)) if part
    )
    return (
        f'<!DOCTYPE html><html lang="{"zh" if first == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{esc(report.title)} · Luthier</title><style>{style_sheet()}</style></head><body>{_switches(first)}"
        f'<div class="page"><div class="sheet"><div class="bar-top">'
        f'<span class="brand">{_MARK}Luthier</span>{_labels()}</div>'
        f'<header class="title"><p class="kind">{both("report")}</p>'
        f'<h1>{esc(report.title)}</h1><p class="meta">{meta}</p>'
        f"<nav>{links}</nav></header><main>{hero(report, comparisons(report))}{''.join(parts.values())}</main>"
        f"<footer>{both('footer')}</footer></div></div></body></html>\n"
    )


def _switches(first: str) -> str:
    """Return the hidden radio buttons that the style sheet reads."""
    radios = [
        ("lang", "lang-en", first != "zh"),
        ("lang", "lang-zh", first == "zh"),
        ("theme", "theme-auto", True),
        ("theme", "theme-light", False),
        ("theme", "theme-dark", False),
    ]
    return "".join(
        f'<input class="switch" type="radio" name="{group}" id="{name}" autocomplete="off" '
        f'aria-label="{name}"{" checked" if on else ""}>'
        for group, name, on in radios
    )


def _labels() -> str:
    languages = '<label for="lang-en" lang="en">English</label><label for="lang-zh" lang="zh">中文</label>'
    themes = "".join(f'<label for="theme-{name}">{both(f"theme_{name}")}</label>' for name in ("auto", "light", "dark"))
    return f'<span class="group">{languages}</span><span class="group">{themes}</span>'


def _model(report: Report) -> str:
    """Return the model's and the method's name, where the recipe tells them; of a model's directory its last part."""
    found = [report.recipe.get(key) for key in ("model", "method")]
    names = [str(entry["name"]) for entry in found if isinstance(entry, dict) and entry.get("name")]
    return " · ".join(esc(PurePath(name).name if PurePath(name).is_absolute() else name) for name in names)


def _when(created: str) -> str:
    """Return ISO 8601 as people write it, to the minute; anything else as it came."""
    if "T" not in created:
        return created
    try:
        return datetime.fromisoformat(created).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return created
