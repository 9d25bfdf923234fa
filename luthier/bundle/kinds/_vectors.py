"""What kinds that compare texts share."""

from __future__ import annotations

from luthier.bundle.manifest import Manifest

CONFIG = None
PIPELINE, DOOR = "sentence-similarity", "AutoModel"
PAIR = '"first text", "second text"'
OUTPUT = """states, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
mean = (states * mask).sum(1) / mask.sum(1)
vector = mean / mean.norm(dim=-1, keepdim=True)"""
UNSURE = "A cosine is no probability: where alike begins must be found on rows of your own."


def prefixes(manifest: Manifest) -> str:
    """Return what stands before texts, in a sentence; nothing where nothing does."""
    query, passage = (manifest.task.settings.get(f"{name}_prefix") or "" for name in ("query", "passage"))
    if not (query or passage):
        return ""
    return f" Luthier puts `{query}` before queries and `{passage}` before passages; with other tools, do the same."
