"""Finders of entities and rows made up for the tests of the evaluation."""

from __future__ import annotations

import random

from fakes import QUICK

from luthier.evaluation import Report, evaluate
from luthier.schema import Entities, Entity, Example, LabelSet, Span

LABELS = LabelSet(("LOC", "ORG", "PER"), "token_classification")
NAMES = {
    "en": {"LOC": ["Lisbon", "New York"], "ORG": ["Acme Ltd", "Bank of Porto"], "PER": ["Ana Silva", "Li Wei"]},
    "zh": {"LOC": ["北京", "上海市"], "ORG": ["人民银行", "华为公司"], "PER": ["王小明", "李伟"]},
}
FRAMES = {
    "en": ["{PER} works for {ORG} in {LOC}.", "{ORG} left {LOC} 😀 on Monday.", "Nothing of note, they say."],
    "zh": ["{PER}在{LOC}的{ORG}工作。", "{ORG}昨日离开{LOC}😀。", "今天没有什么新闻。"],
}


def span_rows(count=60, *, language="en", seed=0):
    """Return examples with their spans."""
    draw = random.Random(seed)
    examples = []
    for n in range(count):
        text, spans, frame = "", [], draw.choice(FRAMES[language])
        while "{" in frame:
            before, _, rest = frame.partition("{")
            label, _, frame = rest.partition("}")
            name = draw.choice(NAMES[language][label])
            start = len(text) + len(before)
            text += before + name
            spans.append(Span(start, start + len(name), label))
        examples.append(Example(f"rows.jsonl:{n + 1}", text + frame, spans=tuple(spans)))
    return examples


class FakeFinder:
    """Knows the truth, and drops, cuts, renames and invents as often as its skill lets it."""

    def __init__(self, examples, *, skill=0.8, seed=0, cut=0):
        self.examples, self.skill, self.seed, self.cut = examples, skill, seed, cut

    def predict(self, texts):
        draw = random.Random(self.seed)
        assert texts == [example.text for example in self.examples]
        return [self._answer(example, draw, n < self.cut) for n, example in enumerate(self.examples)]

    def _answer(self, example, draw, truncated):
        found = []
        for span in example.spans:
            start, end, label = span.start, span.end, span.label
            if draw.random() > self.skill:
                error = draw.choice(["missed", "cut", "renamed"])
                if error == "missed":
                    continue
                end = end - 1 if error == "cut" else end
                label = draw.choice([name for name in LABELS.names if name != label]) if error == "renamed" else label
            found.append(Entity(label, round(draw.uniform(0.5, 1), 3), example.text[start:end], start, end))
        if not example.spans and draw.random() > self.skill:
            found.append(Entity("PER", 0.61, example.text[:3], 0, 3))
        return Entities(tuple(found), truncated)


def span_report(count=60, *, systems=("baseline", "untuned", "tuned"), skill=0.8, language="en", **fields):
    """Return a report of made-up finders; the fields go to the report."""
    examples = fields.pop("examples", None) or span_rows(count, language=language)
    cut = fields.pop("cut", 0)
    skills = {"baseline": skill / 2, "untuned": 0.0}
    evaluations = {
        name: evaluate(FakeFinder(examples, skill=skills.get(name, skill), seed=n, cut=cut), examples, LABELS, QUICK)
        for n, name in enumerate(systems)
    }
    return Report(title=fields.pop("title", "News"), systems=evaluations, settings=QUICK, **fields)
