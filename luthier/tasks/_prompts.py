"""Prompts of decoders: what to ask where nobody said it, and the training rows that stand before as examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import StringConstraints

from luthier import recipe
from luthier.errors import RecipeError
from luthier.schema import Example
from luthier.text import loose_key

_LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}
"""Names of columns of parallel texts -> the language; with others the prompt names none."""
_SUMMARIES = frozenset(("summary", "highlights", "abstract", "摘要"))
_CORRECTIONS = frozenset(("correct", "corrected", "correction"))
_Text = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)]


class Shot(recipe.Settings):
    """An example within a prompt."""

    source: _Text
    target: _Text


@dataclass(frozen=True, slots=True)
class Known:
    """What the model and the files say before anything is tuned."""

    model: str
    """Name of the model."""
    continues: bool
    """Whether it is a decoder, which goes on with a text."""
    has_template: bool = False
    """Whether it brings a chat template."""
    columns: tuple[str, str] = ("", "")
    """Of the sources and the targets."""
    language: str = "en"
    """Of the sources."""
    seed: int = 0
    """Of the draw of examples."""
    held_out: Sequence[Example] = ()
    """The validation and test rows, which no example may be."""


def settled_prompt(settings: Any, rows: Sequence[Example], known: Known) -> tuple[dict[str, Any], list[str]]:
    """Return the settings that a model needs and nobody gave, and what there is to say of them.

    Args:
        settings: ``text_to_text.Settings``, as asked.
        rows: the training rows, of which examples are drawn.
        known: of the model and the files.

    Raises:
        RecipeError: settings that models of the other kind have or that contradict each other, or examples that are
            to be scored on.
    """
    if not known.continues:
        if asked := [name for name in ("chat_template", "examples", "shots") if getattr(settings, name)]:
            raise RecipeError(f"task.{asked[0]} is for decoders, and {known.model} is an encoder-decoder",
                              f"leave task.{asked[0]} out; task.prompt works with both")
        return {}, []
    if settings.source_language or settings.target_language:
        raise RecipeError(f"{known.model} is a decoder, whose texts carry no codes of languages",
                          "leave task.source_language and task.target_language out, and name the languages in "
                          "task.prompt")
    if settings.shots and settings.examples not in (0, len(settings.shots)):
        raise RecipeError(f"task.examples={settings.examples}, but task.shots holds {len(settings.shots)}",
                          "leave task.examples out, or draw them anew with task.shots=null")
    _check_apart(settings.shots or (), rows, known.held_out)
    shots = settings.shots or chosen_shots(rows, settings.examples, known.seed)
    prompt = settings.prompt or default_prompt(known)
    told = [] if settings.prompt else [f"prompt: {prompt!r}, by the names of the columns (task.prompt)"]
    told += [f"examples: {len(shots)} training rows stand in each prompt"] if shots else []
    template = settings.chat_template or "model" if known.has_template else "plain"
    return {"prompt": prompt, "chat_template": template, "examples": len(shots), "shots": shots or None}, told


def _check_apart(shots: Sequence[Shot], learned: Sequence[Example], held_out: Sequence[Example]) -> None:
    """Refuse examples that are validation or test rows, such as those of a recipe whose seed was changed since.

    Rows that stand among those that are learned, too, were left there by whoever keeps duplicates.
    """
    scored, known = ({loose_key(row.text) for row in rows} if shots else set() for rows in (held_out, learned))
    scored -= known
    if shown := [shot.source for shot in shots if loose_key(shot.source) in scored]:
        raise RecipeError(f"{len(shown)} of the {len(shots)} examples in task.shots are validation or test rows, such "
                          f"as {shown[0][:40]!r}: the prompt would give their answers away",
                          "leave task.shots out (task.shots=null), and training rows are drawn; or give others")


def default_prompt(known: Known) -> str:
    """Return a template for what the columns are called: a summary, a translation, a correction, or an answer."""
    source, target = (name.rpartition(".")[2].casefold() for name in known.columns)
    if target in _SUMMARIES:
        return ("概括下文：\n{source}\n\n摘要：\n" if known.language == "zh" else
                "Summarize the following text:\n{source}\n\nSummary:\n")
    if source in _LANGUAGES and target in _LANGUAGES:
        return f"Translate from {_LANGUAGES[source]} to {_LANGUAGES[target]}:\n{{source}}\n\n{_LANGUAGES[target]}:\n"
    if target in _CORRECTIONS:
        return "Correct the following text:\n{source}\n\nCorrected:\n"
    return "文本：\n{source}\n\n回答：\n" if known.language == "zh" else "Text:\n{source}\n\nAnswer:\n"


def chosen_shots(rows: Sequence[Example], count: int, seed: int) -> tuple[Shot, ...]:
    """Draw examples from the shorter half of the training rows, so that they leave room for a text.

    Args:
        rows: N rows with targets.
        count: how many, all of that half at most.
        seed: of the draw.
    """
    if not count:
        return ()
    pairs = [(row.text, row.targets[0]) for row in rows if row.targets]
    short = sorted(pairs, key=lambda pair: len(pair[0]) + len(pair[1]))[: max(count, (len(pairs) + 1) // 2)]
    places = np.random.default_rng(seed).permutation(len(short))[:count].tolist()
    return tuple(Shot(source=source, target=target) for source, target in (short[place] for place in places))
