"""Names come from folders and entry points; unknown ones are refused with help."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from luthier import plugins
from luthier.errors import MissingExtraError, UnknownNameError

SEAMS = ("data.kinds", "data.readers", "models.sources", "tasks", "tuning.methods", "inference.backends",
         "evaluation.kinds", "bundle.kinds", "serving.routes")


@pytest.mark.parametrize("seam", SEAMS)
def test_every_seam_lists_its_files_and_each_opens(seam: str) -> None:
    found = plugins.names(seam)
    assert found
    for name in found:
        assert plugins.load(seam, name).__doc__


def test_underscores_and_hyphens_are_the_same_name() -> None:
    assert plugins.load("tasks", "text-classification") is plugins.load("tasks", "text_classification")


def test_an_unknown_name_is_refused_with_the_list_and_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'ful'; known: freeze, full, lora\n  -> did you mean 'full'\?"):
        plugins.load("tuning.methods", "ful")


def test_a_far_name_gets_no_guess() -> None:
    with pytest.raises(UnknownNameError, match="use one of the known names"):
        plugins.load("tuning.methods", "zzzzzzzz")


def test_outsiders_come_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [metadata.EntryPoint(name, "json", "luthier.tuning.methods") for name in ("my_method", "full")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "luthier.tuning.methods" else [])
    assert "my-method" in plugins.names("tuning.methods")
    assert plugins.load("tuning.methods", "my-method").__name__ == "json"
    assert plugins.load("tuning.methods", "full").__name__ == "luthier.tuning.methods.full"


def test_a_missing_extra_names_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"'openpyxl', which is not installed\n  -> pip install 'luthier\["):
        plugins.require("openpyxl")


def test_listing_imports_nothing_heavy() -> None:
    code = ("import sys; from luthier import plugins\n"
            f"for seam in {SEAMS!r}: plugins.names(seam)\n"
            "assert not {'torch', 'transformers', 'sklearn', 'fastapi'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_people_else_call_a_task_is_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'named-entities'"):
        plugins.load("tasks", "NER")
    with pytest.raises(UnknownNameError, match="use one of the known names"):
        plugins.load("data.readers", "ner")
