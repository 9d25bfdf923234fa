"""The report on entities: whole, escaped, in two languages, with texts marked in place."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from fakes import report
from span_fakes import LABELS, span_report

from luthier.evaluation import Report, evaluate, write_report
from luthier.evaluation.report.page import page
from luthier.evaluation.report.sections.marked import marked
from luthier.recipe import EvaluationSettings
from luthier.schema import Entities, Entity, Example, Span

HISTORY = [{"event": "step", "step": n, "loss": 1 / n} for n in range(1, 31)] + [
    {"event": "validation", "step": n, "metrics": {"loss": 0.5, "f1_micro": n / 30}} for n in (10, 20, 30)
]


def plain(html):
    """Return the page as an English reader sees it: no markup, no Chinese wording."""
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", "", re.sub(r'<span class="zh".*?</span>', "", html))


class Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("fields", [
    {}, {"language": "zh", "languages": ("zh", "en")}, {"systems": ("tuned",)}, {"systems": ("baseline",)},
    {"skill": 1.0}, {"skill": 0.0}, {"count": 1}, {"history": HISTORY, "best_step": 20, "cut": 3},
])
def test_every_shape_of_report_is_well_formed(fields):
    html = page(span_report(**fields))
    checker = Balance()
    checker.feed(html)
    assert checker.open == []
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    assert not re.search(r"\b(nan|inf)\b|\{[a-z_]+\}|_spans", body)
    assert "<script" not in html


def test_the_headline_is_the_entity_f1_with_its_interval():
    made = span_report(300)
    html, interval = page(made), made.systems["tuned"].intervals.metrics["f1_micro"]
    width = f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    assert f"Entity F1 {100 * interval.value:.1f}% {width} on 300 test rows" in plain(html)
    assert f"实体 F1 为 <b>{100 * interval.value:.1f}%</b> {width}" in html
    assert "100.0, 100.0" not in plain(page(span_report(skill=1.0))).split("Scores")[1].split("test rows")[0]


def test_sections_are_those_of_entities():
    html = page(span_report(history=HISTORY, best_step=20))
    ids = re.findall(r'<section id="(\w+)"', html)
    assert ids == ["notices", "scores", "classes", "outcomes", "counting", "tags", "errors", "training"]
    said = plain(html)
    for words in ("dictionary of the training entities", "Type by type", "Start and end agree, whatever the type.",
                  "These averages include O", "Found, missed, too many", "entities in them", "B-LOC", "Rows all right"):
        assert words in said, words
    assert "TF-IDF" not in said
    assert 'id="tags"' not in page(report())
    assert "训练集实体词典" in html


def test_errors_show_the_text_with_what_was_expected_and_found():
    text = "<b>李明</b>在北京😀的A&B公司"
    gold = (Span(3, 5, "PER"), Span(10, 12, "LOC"), Span(14, 19, "ORG"))
    found = (Entity("PER", 0.9, "", 3, 5), Entity("ORG", 0.875, "", 10, 13))
    html = marked(text, gold, found, 600)
    assert '<mark class="right">李明</mark><bdi class="chip tag hit-chip">✓ PER</bdi>' in html
    assert '<mark class="extra missed">北京</mark><bdi class="chip tag flag">− LOC</bdi>' in html
    assert '<mark class="extra">😀</mark><bdi class="chip tag miss-chip">+ ORG 87.5%</bdi>' in html
    assert '</bdi>的<mark class="missed">A&amp;B公司</mark><bdi class="chip tag flag">− ORG</bdi>' in html
    assert "&lt;b&gt;" in html
    assert re.sub(r"<bdi.*?</bdi>|<[^>]+>", "", html) == text.replace("&", "&amp;").replace("<", "&lt;").replace(
        ">", "&gt;")


def test_nested_and_impossible_spans_do_not_break_the_text():
    text = "the Bank of China in Ürümqi e\u0301\u200d\U0001f469\u200d\U0001f680"
    gold = (Span(4, 17, "ORG"), Span(12, 17, "LOC"))
    found = (Entity("LOC", 0.5, "", 12, 17), Entity("PER", 0.4, "", 30, 500), Entity("PER", 0.4, "", 5, 5),
             Entity("PER", 0.3, "", 900, 950))
    html = marked(text, gold, found, 600)
    assert re.sub(r"<bdi.*?</bdi>|<[^>]+>", "", html) == text
    assert '<mark class="missed right">China</mark>' in html


def test_a_long_text_is_shown_where_its_first_error_is():
    text = "a" * 1000 + " Lisbon " + "b" * 1000
    html = marked(text, [Span(1001, 1007, "LOC")], [], 600)
    assert '<mark class="missed">Lisbon</mark>' in html
    assert "851 characters before" in html
    assert "and 557 more characters" in html


def test_labels_and_texts_are_escaped():
    class Evil:
        def predict(self, texts):
            return [Entities((Entity("LOC", 0.9, "", 0, 8),))] * len(texts)

    rows = [Example("<i>", "<script>alert(1)</script>\x00", spans=(Span(0, 4, "ORG"),))]
    scored = evaluate(Evil(), rows, LABELS, EvaluationSettings(bootstrap=100))
    html = page(Report(title="x", systems={"tuned": scored}))
    assert "<script" not in html
    assert "<i>:" not in html
    assert "pt&gt;" in html


def test_rows_where_entities_were_only_missed_say_so():
    class Blind:
        def predict(self, texts):
            return [Entities(())] * len(texts)

    scored = evaluate(Blind(), [Example("x", "Ana", spans=(Span(0, 3, "PER"),))], LABELS,
                      EvaluationSettings(bootstrap=100))
    assert "only missed" in page(Report(title="x", systems={"tuned": scored}))


def test_scores_json_holds_places_but_no_texts(tmp_path):
    write_report(tmp_path, span_report(language="zh"))
    written = (tmp_path / "scores.json").read_text(encoding="utf-8")
    assert "北京" not in written
    scores = json.loads(written)
    assert scores["format"] == 2
    assert scores["labels"]["problem_type"] == "token_classification"
    assert scores["comparisons"]["baseline"]["f1_micro"]["verdict"] == "better"
    assert scores["systems"]["tuned"]["tokens"]["tags"][0]["tag"] == "O"


NESTED = Example("rows.jsonl:1", "University of Oslo", spans=(Span(0, 18, "ORG"), Span(14, 18, "LOC")))


def test_entities_within_others_are_marked_each_and_have_no_table_of_tags():
    found = (Entity("ORG", 0.9, "University of Oslo", 0, 18), Entity("PER", 0.8, "Oslo", 14, 18))
    html = marked(NESTED.text, NESTED.spans, found, 400)
    assert html.startswith('<mark class="right">University of </mark><mark class="extra missed right">Oslo</mark>')
    assert [re.sub(r"<[^>]+>", "", chip) for chip in re.findall(r"<bdi.*?</bdi>", html)] == [
        "✓ ORG", "− LOC", "+ PER 80.0%"]

    class Fixed:
        def predict(self, texts):
            return [Entities(found) for _ in texts]

    settings = EvaluationSettings(bootstrap=100)
    system = evaluate(Fixed(), [NESTED], LABELS, settings)
    shown = plain(page(Report(title="x", systems={"tuned": system}, settings=settings,
                              data_report={"overlapping": 12, "split_sizes": {"train": 3}})))
    assert "Word by word" not in shown
    assert "Entities that begin within another" in shown
