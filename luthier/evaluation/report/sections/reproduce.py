"""Commands, decisions and the recipe: what it takes to do the run again."""

from __future__ import annotations

import yaml

from luthier.evaluation.report.content import Report
from luthier.evaluation.report.html import both, esc, section


def reproduce(report: Report) -> str:
    """Return the section with every command, every decision and the whole recipe, or nothing when there is none."""
    body = ""
    if report.commands:
        commands = list(dict.fromkeys(report.commands.values()))
        body += f"<pre>{esc(chr(10).join(commands))}</pre>"
    if report.decisions:
        entries = "".join(f"<dt>{esc(name)}</dt><dd>{esc(reason)}</dd>" for name, reason in report.decisions.items())
        body += f'<h3>{both("decisions")}</h3><div class="card"><dl>{entries}</dl></div>'
    if report.recipe:
        text = yaml.safe_dump(_plain(report.recipe), sort_keys=False, allow_unicode=True, width=100)
        body += f"<details><summary>{both('recipe')}</summary><pre>{esc(text)}</pre></details>"
    return section("reproduce", both("reproduce_lead") if report.commands else "", body) if body else ""


def _plain(value: object) -> object:
    """Return mappings and tuples as the dicts and lists that YAML writes without tags."""
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value
