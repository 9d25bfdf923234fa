"""The files by which the sentence-transformers library opens a directory, and the prefixes that models know.

The library composes modules, each with a folder of its own (its documentation, "Creating Custom Models", and what its
``save`` writes): the transformer in the directory itself, then pooling, then normalising.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROMPTS = "config_sentence_transformers.json"
_E5 = re.compile(r"(multilingual-)?e5-(small|base|large)(-v2)?", re.IGNORECASE)
"""Their model cards ask for the prefixes ``query: `` and ``passage: ``."""


def known_prefixes(model: str) -> tuple[str, str]:
    """Return the prefixes of queries and passages that a model was trained with; empty where none are known.

    Args:
        model: packaged name, hub id or directory. A directory tells its own, where it was written with some.
    """
    file = Path(model) / PROMPTS
    if file.is_file():
        try:
            prompts = json.loads(file.read_text(encoding="utf-8")).get("prompts") or {}
            return str(prompts.get("query") or ""), str(prompts.get("passage", prompts.get("document")) or "")
        except (OSError, ValueError, AttributeError):
            return "", ""
    return ("query: ", "passage: ") if _E5.fullmatch(Path(model).name) else ("", "")


def companions(query: str, passage: str, *, width: int, max_length: int) -> Mapping[str, Any]:
    """Return path -> JSON of the files beside the transformer's own.

    Args:
        query, passage: prefixes; given under the names that the library knows.
        width: D.
        max_length: most tokens of a text.
    """
    kinds = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")
    modules = [{"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
               for number, (path, kind) in enumerate(kinds)]
    pooling = {"word_embedding_dimension": width, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
               "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False, "include_prompt": True}
    prompts = {"query": query, "document": passage, "passage": passage} if query or passage else {}
    return {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
        PROMPTS: {"prompts": prompts, "default_prompt_name": "query" if query else None,
                  "similarity_fn_name": "cosine"},
    }
