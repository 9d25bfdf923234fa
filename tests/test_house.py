"""The house's own rules that no linter knows: sizes, settings, inheritance, the public door, light imports."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import luthier

ROOT = Path(luthier.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MAX_MODULE, MAX_FUNCTION, MAX_FIELDS, MAX_DEPTH = 400, 60, 15, 2


def modules() -> Iterator[str]:
    for info in pkgutil.walk_packages([str(ROOT)], "luthier."):
        if not info.name.endswith("__main__"):
            yield info.name


@pytest.mark.parametrize("path", [*ROOT.rglob("*.c"), *ROOT.rglob("*.h")], ids=lambda path: path.name)
def test_c_files_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_MODULE
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= MAX_FUNCTION, f"{node.name} has {lines} lines"


def classes() -> Iterator[type]:
    for name in modules():
        module = importlib.import_module(name)
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == name:
                yield found


def test_settings_stay_small_and_inheritance_shallow() -> None:
    seen = list(classes())
    assert len(seen) > 20
    for found in seen:
        own = [base for base in found.__mro__[1:] if base.__module__.startswith("luthier")]
        assert len(own) <= MAX_DEPTH, found
        if issubclass(found, BaseModel):
            assert len(found.model_fields) <= MAX_FIELDS, found


def test_the_public_door_holds_what_it_names() -> None:
    for name in luthier.__all__:
        assert getattr(luthier, name).__name__ == name
    assert set(luthier.__all__) <= set(dir(luthier))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        luthier.nothing  # noqa: B018


def test_every_package_names_what_it_exports() -> None:
    for name in modules():
        module = importlib.import_module(name)
        for exported in getattr(module, "__all__", ()):
            assert hasattr(module, exported), f"{name}.{exported}"


def test_packages_use_no_private_modules_of_others() -> None:
    private = re.compile(r"from luthier\.(\w+)(?:\.\w+)*(?:\._\w+| import _\w+)")
    for path in FILES:
        package = path.relative_to(ROOT).parts[0]
        others = {match[1] for match in private.finditer(path.read_text(encoding="utf-8"))} - {package}
        assert not others, path


@pytest.mark.parametrize("code", [
    "import luthier",
    "import luthier.cli",
    "import luthier.data, luthier.bundle, luthier.models, luthier.tasks, luthier.inference, luthier.tuning",
    "import luthier.evaluation, luthier.pipeline, luthier.serving",
    "from luthier.plugins import load, names\nfor one in names('inference.backends'): load('inference.backends', one)",
])
def test_packages_open_without_heavy_libraries(code: str) -> None:
    heavy = {"torch", "transformers", "sklearn", "pandas", "pyarrow", "fastapi"}
    check = f"import sys; heavy = {heavy!r} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}\n{check}\nassert not heavy, heavy"], check=True)


@pytest.mark.slow
def test_labelling_a_file_loads_nothing_that_tunes_or_scores(tiny_bundle: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text\nvery good\nvery bad\n", encoding="utf-8")
    code = ("import sys\nfrom luthier.pipeline import predict_file\n"
            "from luthier.inference import Opening\n"
            "predict_file(*sys.argv[1:], opening=Opening('torch-bf16', threads=1))\n"
            "wrong = {'luthier.tuning', 'luthier.evaluation', 'sklearn', 'transformers'} & set(sys.modules)\n"
            "assert not wrong, wrong")
    subprocess.run([sys.executable, "-c", code, str(tiny_bundle), str(texts), str(tmp_path / "out.csv")], check=True)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").count("\n") == 3


def test_what_only_some_files_of_a_seam_offer_is_declared_in_one_place() -> None:
    """What is asked for by ``hasattr`` or ``getattr`` stands in the seam's ``SomeTask`` or ``SomeKind``."""
    from luthier.bundle.kind import SomeKind as OfBundles
    from luthier.data.kind import SomeKind as OfData
    from luthier.evaluation.kind import SomeKind as OfScores
    from luthier.tasks._seam import SomeTask

    asked = re.compile(r"(?:has|get)attr\((?:[\w.]*\.)?_?(task|kind)(?:\(\w+\))?, [\"'](\w+)[\"']")
    found: dict[type, set[str]] = {SomeTask: set(), OfBundles: set(), OfData: set(), OfScores: set()}
    for path in ROOT.rglob("*.py"):
        of_kinds = {"bundle": OfBundles, "evaluation": OfScores}.get(path.relative_to(ROOT).parts[0], OfData)
        for seam, name in asked.findall(path.read_text(encoding="utf-8")):
            found[SomeTask if seam == "task" else of_kinds].add(name)
    assert all(found.values())
    listed = (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for protocol, names in found.items():
        declared = {name for name in (*vars(protocol), *protocol.__annotations__) if not name.startswith("_")}
        assert names <= declared, f"declare it in {protocol.__module__}.{protocol.__name__}"
        for name in declared:
            assert f"`{name}`" in listed, f"CONTRIBUTING.md does not list {name}"
