"""The report: whole, self-contained, escaped, in two languages, with what it must say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from fakes import report

from luthier.errors import DataError
from luthier.evaluation import Report, write_report
from luthier.evaluation.report.html import clip, esc, signed_points
from luthier.evaluation.report.page import page
from luthier.evaluation.report.svg import nice_ticks
from luthier.evaluation.report.words import every_word

VOID = {"meta", "input", "br"}


class Checker(HTMLParser):
    """Collects elements and refuses what is not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


HISTORY = [{"event": "step", "step": n, "loss": 1 / n} for n in range(1, 31)] + [
    {"event": "validation", "step": n, "train_loss": 0.6, "metrics": {"loss": 0.5, "f1_macro": n / 30}}
    for n in (10, 20, 30)
]
DATA = {
    "rows_read": {"train": 120},
    "bad_rows": 1,
    "bad_examples": [{"file": "a.csv", "line": 3, "reason": "<torn>"}],
    "empty": 2,
    "duplicates": 10,
    "contradictory_rows": 4,
    "contradictory_texts": 2,
    "deduplicated": True,
    "normalize": "nfc",
    "normalized": 3,
    "leaks": {"train in test": 1},
    "split_sizes": {"train": 60, "valid": 20, "test": 20},
    "contradictions": [{"text": "<i>both</i>", "ids": ["a:1", "a:2"], "labels": ["x", "y"]}],
    "language": "zh",
    "label_counts": {"train": {"x": 30, "y": 30}, "test": {"x": 10, "y": 10}},
    "lengths": {"min": 1, "median": 5},
    "imbalance": 1.0,
    "near_duplicate_groups": 2,
    "near_duplicate_rows": 5,
    "content_hash": "ab" * 32,
    "notes": ["a <note>"],
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"classes": 6},
        {"classes": 77, "count": 300},
        {"classes": 5, "multi": True},
        {"systems": ("tuned",)},
        {"systems": ("baseline",)},
        {"skill": 20.0},
        {"count": 2, "systems": ("tuned", "baseline")},
        {
            "history": HISTORY,
            "data_report": DATA,
            "best_step": 20,
            "languages": ("zh", "en"),
            "recipe": {"model": {"name": "e5-small"}, "data": {"train": "a.csv"}},
            "decisions": {"precision": "bf16: AMX"},
        },
    ],
    ids=["two", "six", "many", "several", "alone", "baseline", "perfect", "tiny", "full"],
)
def test_every_shape_of_report_is_well_formed_and_self_contained(fields):
    html = page(report(**fields))
    checker = check(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(checker.tags)
    assert not [
        value
        for name, value in checker.attributes
        if name in {"src", "href", "xlink:href"} and not value.startswith("#")
    ]
    assert not [name for name, _ in checker.attributes if name.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    assert "default-src 'none'" in html
    assert 'class="en"' in html
    assert 'class="zh"' in html


def test_texts_labels_titles_and_notes_are_escaped():
    evil = "<script>alert('x')</script>\x00\ud800&amp;"
    html = page(
        report(
            text=evil,
            title=evil,
            names=(evil, "b"),
            skill=0.1,
            warnings=[evil],
            commands={"evaluate": evil},
            decisions={evil: evil},
            recipe={"x": evil},
            data_report=DATA,
        )
    )
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<note>" not in html
    assert "<torn>" not in html
    html.encode("utf-8")
    check(html)


def test_it_opens_in_the_first_language_and_says_everything_in_both():
    assert 'id="lang-zh" autocomplete="off" aria-label="lang-zh" checked' in page(report(languages=("zh", "en")))
    assert '<html lang="en">' in page(report())
    for key, (english, chinese) in every_word().items():
        assert english, key
        assert chinese, key
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), key
    assert not re.search(
        r"\{[a-z_]+\}",
        re.sub(r"<style>.*?</style>", "", page(report(classes=6, history=HISTORY, data_report=DATA)), flags=re.DOTALL),
    )


def test_what_may_not_be_hidden_is_said():
    html = page(report(count=60, cut=7, data_report=DATA, warnings=["no better than chance"]))
    assert "7 of 60 test texts were not looked at as a whole" in html
    assert "Only 60 test rows" in html
    assert "no better than chance" in html
    assert "4 rows carried the same text with different labels" in html
    assert "No baseline was scored" in page(report(systems=("tuned",)))
    assert "up to 5.0% of rows may still" in page(report(skill=30.0))
    assert "100.0% to 100.0%" not in page(report(skill=30.0))


def test_near_duplicates_are_said_to_share_a_split_only_where_that_was_seen_to() -> None:
    assert "5 rows in 2 groups, each group inside one split" in page(report(data_report=DATA))
    assert "each group inside one split" not in page(report(data_report={**DATA, "deduplicated": False}))


def test_the_verdict_follows_the_paired_interval():
    same = report(systems=("baseline", "tuned"))
    alike = Report(
        title="x", systems={"baseline": same.systems["tuned"], "tuned": same.systems["tuned"]}, settings=same.settings
    )
    assert "Could be chance" in page(alike)
    clear = report(count=400, skill=3.0, systems=("untuned", "tuned"))
    assert "A real gain" in page(clear)
    swapped = Report(
        title="x",
        systems={"tuned": clear.systems["untuned"], "untuned": clear.systems["tuned"]},
        settings=clear.settings,
    )
    assert "Worse:" in page(swapped)


def test_each_figure_shows_its_command():
    html = page(
        report(
            classes=3,
            history=HISTORY,
            data_report=DATA,
            commands={"train": "luthier train r.yaml", "evaluate": "luthier evaluate b t.csv", "errors": "see errors"},
        )
    )
    assert html.count("<code>luthier evaluate b t.csv</code>") == 4  # scores, classes, confusion, curves
    assert html.count("<code>luthier train r.yaml</code>") == 2  # training, data
    assert "<code>see errors</code>" in html


def test_both_files_are_written_whole(tmp_path):
    write_report(tmp_path / "new" / "report", report(text="SECRET", data_report=DATA, best_step=20))
    assert sorted(path.name for path in (tmp_path / "new" / "report").iterdir()) == ["index.html", "scores.json"]
    written = (tmp_path / "new" / "report" / "scores.json").read_text(encoding="utf-8")
    assert "SECRET" not in written
    scores = json.loads(written)
    assert scores["format"] == 2
    assert scores["main"] == "tuned"
    assert set(scores["comparisons"]) == {"baseline", "untuned"}
    assert scores["comparisons"]["baseline"]["f1_macro"]["verdict"] in {"better", "worse", "no significant difference"}
    assert (
        scores["systems"]["tuned"]["intervals"]["accuracy"]["low"] <= scores["systems"]["tuned"]["metrics"]["accuracy"]
    )
    assert scores["labels"]["names"] == ["label 0", "label 1"]


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    write_report(tmp_path, report())
    before = (tmp_path / "index.html").read_text(encoding="utf-8")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path, report(title="another"))
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "scores.json"]


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="at least one system"):
        write_report(tmp_path, Report(title="x", systems={}))


def test_many_labels_fold_away_and_many_errors_are_cut():
    html = page(report(classes=77, count=300, text="word " * 400, skill=0.2))
    assert "Show the other 57 labels" in html
    assert "more characters" in html
    assert len(html) < 600_000


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("a long label", 6, "a lon…"),
        ("标签名称很长", 6, "标签…"),
        ("", 3, ""),
    ],
)
def test_clip_counts_wide_characters_twice(text, width, expected):
    assert clip(text, width) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.0912, "+9.1"), (-0.004, "−0.4"), (0.0001, "0.0"), (-0.0001, "0.0")])
def test_points_carry_a_sign(value, expected):
    assert signed_points(value) == expected


def test_ticks_are_round_and_cover_the_range():
    assert nice_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(61.2, 88.7, 8) == [60, 65, 70, 75, 80, 85, 90]
    assert nice_ticks(3, 3) == [3]


def test_escaping_covers_quotes_and_control_characters():
    assert esc("\"'<>&\x00\n") == "&quot;&#x27;&lt;&gt;&amp;\ufffd\n"


def test_the_date_and_the_model_are_told_without_the_machine():
    html = page(
        report(created="2026-11-22T08:25:15+00:00", recipe={"model": {"name": "/home/me/models/tiny"}, "method": {}})
    )
    assert "Written 2026-11-22 08:25 UTC" in html
    assert "· tiny</p>" in html
    assert "Written in May" in page(report(created="in May"))
