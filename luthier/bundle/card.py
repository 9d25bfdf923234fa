"""The model card: the bundle's ``README.md``, with the header that the Hugging Face hub reads.

It is made from the manifest and the two reports, and holds numbers and label names only, never a text from the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from luthier.bundle.kind import BundleKind, Use, kind_of
from luthier.bundle.manifest import Manifest
from luthier.bundle.markdown import cell, table
from luthier.recipe import MEMORY
from luthier.text.figures import score

_TRAINING = ("learning_rate", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps",
             "lr_scheduler_type", "warmup_ratio", "weight_decay", "max_grad_norm", "label_smoothing_factor",
             "precision")

_LEFT_OUT = {
    "rows_read": "rows read", "bad_rows": "unreadable rows", "empty": "empty rows left out",
    "duplicates": "exact duplicates", "contradictory_rows": "rows whose text came with different labels",
    "leaks": "rows that nearly equal a row of another split",
}
"""Entry of the data report -> what the card calls it."""


def model_card(
    manifest: Manifest, report: Mapping[str, Any], data_report: Mapping[str, Any], *, title: str = ""
) -> str:
    """Return the text of ``README.md``.

    Args:
        manifest: what the bundle is.
        report: system (``baseline``, ``untuned``, ``tuned``) -> its evaluation as ``scores.json`` holds it, or a
            mapping that has them under ``systems``. Systems may be missing.
        data_report: ``DataReport.to_dict()``; entries may be missing.
        title: heading; the base model's name with the task when left out.
    """
    systems, labels = report.get("systems", report), _kind(manifest).labels(manifest, data_report)
    title = title or f"{_base_name(manifest)} tuned for {manifest.task.name.replace('-', ' ')}"
    sections = [
        _header(manifest, systems, data_report),
        f"# {title}",
        _summary(manifest),
        *(f"> **Warning:** {cell(text)}" for text in manifest.warnings),
        *([f"## {getattr(_kind(manifest), 'HEADING', 'Labels')}\n\n{labels}"] if labels else []),
        "## Scores\n\n" + _scores(manifest, systems),
        "## Training data\n\n" + _data(manifest, data_report),
        "## Training\n\n" + _training(manifest),
        "## Use\n\n" + _use(manifest),
        "## Limits\n\n" + _limits(manifest),
        "## Licences\n\n" + _licences(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _header(manifest: Manifest, systems: Mapping[str, Any], data_report: Mapping[str, Any]) -> str:
    base, pipeline = manifest.base, _use_of(manifest).pipeline
    languages = {"zh": ["zh"], "en": ["en"], "mixed": ["zh", "en"]}.get(str(data_report.get("language")), [])
    header: dict[str, Any] = {
        "license": (base.licence or "other").lower(),
        "library_name": "transformers" if manifest.kind == "full" else "peft",
        "pipeline_tag": pipeline,
        "tags": ["luthier", pipeline, *(["lora"] if manifest.kind == "adapter" else [])],
    }
    if languages:
        header["language"] = languages
    if base.source not in ("directory", "new"):
        # The hub can link to a hub id or a packaged name, not to what only this machine had.
        header["base_model"] = base.name
    metrics = _metrics(systems.get("tuned"))
    if metrics:
        header["model-index"] = [{"name": "luthier", "results": [{
            "task": {"type": pipeline},
            "dataset": {"name": "held-out test rows", "type": "private"},
            "metrics": [{"type": name, "value": round(value, 4)} for name, value in metrics.items()],
        }]}]
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---"


def _kind(manifest: Manifest) -> BundleKind:
    return kind_of(manifest.labels.problem_type)


def _use_of(manifest: Manifest) -> Use:
    kind = _kind(manifest)
    if hasattr(kind, "use"):
        found: Use = kind.use(manifest)
        return found
    return Use(kind.PIPELINE, kind.DOOR, kind.OUTPUT, getattr(kind, "BATCH", None), getattr(kind, "CUT", None))


def _base_name(manifest: Manifest) -> str:
    """Return the base's name, for a directory without the place where it lies on this machine."""
    base = manifest.base
    return PurePath(base.name).name if base.source == "directory" else base.name


def _summary(manifest: Manifest) -> str:
    headless = getattr(_kind(manifest), "HEADLESS", False)
    what = {"full": "All weights were tuned.",
            "adapter": f"A LoRA adapter {'was' if headless else 'and the head were'} tuned; the base is needed too."}
    return (f"{_kind(manifest).does(manifest)} {what[manifest.kind]} Made by Luthier "
            f"{manifest.luthier} on {manifest.created[:10]}. `luthier.json` holds the recipe, the versions and the "
            "hash of every file; `probes.jsonl` holds what the model answered on that day, and is replayed whenever "
            "it is opened.")


def _scores(manifest: Manifest, systems: Mapping[str, Any]) -> str:
    shown = {name: systems[name] for name in ("baseline", "untuned", "tuned") if _metrics(systems.get(name))}
    if not shown:
        return "This model was not evaluated."
    metrics = list(_metrics(next(reversed(shown.values()))))
    rows = [[f"`{metric}`", *(_score(system, metric) for system in shown.values())] for metric in metrics]
    rows_scored = next((system["rows"] for system in shown.values() if system.get("rows")), None)
    in_memory = (manifest.recipe.get("data") or {}).get("train") == MEMORY
    again = "" if in_memory else " Reproduce with: `luthier train DIR/recipe.yaml`."
    on = f" on {rows_scored:,} test rows that were not trained on" if rows_scored else " on held-out test rows"
    return (table(["metric", *shown], rows) + f"\n\nScored{on}, through the predictor that serves; in brackets the "
            "bootstrap confidence interval. Everything else is in `report/index.html`." + again)


def _score(system: Mapping[str, Any], metric: str) -> str:
    value = _metrics(system).get(metric)
    interval = (system.get("intervals") or {}).get(metric)
    if value is None:
        return "-"
    low_high = (interval["low"], interval["high"]) if isinstance(interval, Mapping) else interval
    return score(value) + (f" [{score(low_high[0])}, {score(low_high[1])}]" if low_high else "")


def _metrics(system: Any) -> dict[str, float]:
    values = system.get("metrics", {}) if isinstance(system, Mapping) else {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _data(manifest: Manifest, data_report: Mapping[str, Any]) -> str:
    sizes: Mapping[str, int] = data_report.get("split_sizes") or {}
    lines = [f"- {split}: {size:,} rows" for split, size in sizes.items()]
    for key, what in _LEFT_OUT.items():
        value = data_report.get(key)
        count = sum(value.values()) if isinstance(value, Mapping) else value
        lines += [f"- {what}: {count:,}"] if count else []
    lines += [f"- language: {data_report['language']}"] if data_report.get("language") else []
    lines.append(f"- content hash: `{manifest.data_hash}`")
    return "\n".join(lines) + ("\n\nThis card holds no text from the data. `probes.jsonl` and `report/` may: share the "
                                     "bundle as you would share the data.")


def request(manifest: Manifest) -> str:
    """Return the JSON body of a request that the bundle's server answers, for people to try."""
    kind = _kind(manifest)
    row = f"[{kind.PAIR}]" if manifest.pair else getattr(kind, "ROW", '"very good", "心情很好"')
    return f'{{"inputs": [{row}]}}'


def _training(manifest: Manifest) -> str:
    recipe = manifest.recipe
    train, method = recipe.get("train") or {}, recipe.get("method") or {}
    settings = [(key, train[key]) for key in _TRAINING if key in train]
    settings += [(f"method {key}", value) for key, value in method.items()]
    settings += [("seed", recipe["seed"])] if "seed" in recipe else []
    listed = table(["setting", "value"], [[key, f"`{value}`"] for key, value in settings])
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    return (f"{listed}\n\n" if settings else "") + f"Written with {versions}."


def _use(manifest: Manifest) -> str:
    kind = _kind(manifest)
    given = kind.PAIR if manifest.pair else getattr(kind, "TEXT", '"some text"')
    row = f"({given})" if manifest.pair else getattr(kind, "ROW", given)
    blocks = [
        "With Luthier, which checks hashes, labels, tokenizer and probes first:",
        f'```python\nimport luthier\n\npredictor = luthier.load("DIR")\nprint(predictor.predict([{row}])[0])\n```',
        "```\nluthier serve DIR --port 8000\n```",
    ]
    batch = (f'batch = tokenizer({given}, truncation=True, max_length={manifest.length.max_length}, '
             'return_tensors="pt")')
    use = _use_of(manifest)
    run, door = f"{use.batch or batch}\n{use.output}", use.door
    head = "" if getattr(kind, "HEADLESS", False) else "; the head is in the adapter"
    if manifest.kind == "full":
        blocks += ["With transformers alone:", "```python\n"
                   f"from transformers import {door}, AutoTokenizer\n\n"
                   f'model = {door}.from_pretrained("DIR").eval()\n'
                   f'tokenizer = AutoTokenizer.from_pretrained("DIR")\n{run}\n```']
    else:
        blocks += [f"With PEFT alone (BASE is the base model's directory or hub id{head}):",
                   "```python\nfrom peft import PeftModel\n"
                   f"from transformers import AutoConfig, {door}, AutoTokenizer\n\n"
                   'config = AutoConfig.from_pretrained("DIR")\n'
                   f'base = {door}.from_pretrained("BASE", config=config)\n'
                   'model = PeftModel.from_pretrained(base, "DIR").eval()\n'
                   f'tokenizer = AutoTokenizer.from_pretrained("DIR")\n{run}\n```']
    form = {"nfc": "NFC", "nfkc": "NFKC"}.get(manifest.normalize)
    if form:
        blocks.append(f"Luthier gives every text the Unicode form {form} and trims it first; other tools do not.")
    return "\n\n".join(blocks)


def _limits(manifest: Manifest) -> str:
    length = manifest.length
    if length.policy == "window":
        read = (f"- Long texts are read in windows of up to {length.max_length} tokens that share up to "
                f"{length.overlap}; `truncated` tells where something was not read.")
    else:
        cut = f"Of one {'pair' if manifest.pair else 'text'} {length.max_length} tokens are read; the rest is cut"
        cut = (_use_of(manifest).cut or cut).format(length=length.max_length)
        read = f"- {cut}, and the prediction says so (`truncated`)."
    known = f"- {_kind(manifest).knows(manifest)}"
    sure = (f"- {_kind(manifest).UNSURE}" if _kind(manifest).UNSURE else
            "- Probabilities are not calibrated." if manifest.calibration is None else
            "- Probabilities are calibrated on held-out rows.")
    return "\n".join([
        read, known, sure,
        "- Scores hold for texts like those it was tuned on. It carries over what is skewed in them and in the base.",
    ])


def _licences(manifest: Manifest) -> str:
    links = [[link.what, cell(link.name), link.licence or "not known"] for link in manifest.licences]
    if not links:
        links = [["base model", cell(_base_name(manifest)), manifest.base.licence or "not known"]]
    return table(["part", "name", "licence"], links)
