"""The public names of each package: listed, documented, and loaded when they are asked for."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("labeling", "curation", "pipelines", "training")
HEAVY = {"apache_beam", "torch", "pyarrow", "numpy", "pandas", "sklearn", "scipy", "matplotlib"}

PUBLIC = {
    "labeling": [
        "BusyError",
        "ConfigError",
        "EngineError",
        "InputError",
        "IntegrityError",
        "Label",
        "Matcher",
        "Page",
        "QualityError",
        "StoreError",
        "Taxonomy",
        "TaxonomyFiles",
        "WinnowError",
        "build_taxonomy",
        "compile_matcher",
        "find",
        "read_page",
        "read_taxonomy",
        "signals_from_texts",
        "signals_from_warc",
    ],
    "curation": [
        "Interval",
        "Kept",
        "Run",
        "RunTable",
        "Stage",
        "ThresholdTable",
        "draw_audits",
        "open_run",
        "precision_interval",
        "score",
        "select",
        "threshold_table",
    ],
    "pipelines": [
        "AuditSample",
        "CandidatesFromSignals",
        "Evaluation",
        "Plan",
        "Status",
        "Study",
        "audit_import",
        "audit_sample",
        "audit_serve",
        "candidates_from_signals",
        "evaluate",
        "evidence_add",
        "evidence_remove",
        "export",
        "label",
        "look",
        "open_study",
        "plan",
        "report",
        "select",
        "status",
        "study",
        "train",
    ],
    "training": [
        "Architecture",
        "Batch",
        "ModelCard",
        "ResNet",
        "labels_in_shards",
        "load_model",
        "normalise",
        "save_model",
        "training_batches",
    ],
}
NAMES = [(package, name) for package, names in PUBLIC.items() for name in names]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_these(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == module.__all__ == PUBLIC[package] == dir(module)


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_public_name_leads_to_what_its_module_documents(package: str, name: str) -> None:
    value = getattr(importlib.import_module(package), name)
    assert inspect.getdoc(value)
    assert value.__module__.startswith(f"{package}.")
    assert getattr(importlib.import_module(value.__module__), name) is value


def sections_of(value: object) -> dict[str, list[str]]:
    """Return the entries of each section of a docstring in numpy's form."""
    text = inspect.getdoc(value) or ""
    _, *parts = re.split(r"^(\w+)\n-{3,}\n", text, flags=re.MULTILINE)
    entries = (re.findall(r"^\w.*$", body, re.MULTILINE) for body in parts[1::2])
    return {
        title: [name for entry in some for name in entry.split(", ")]
        for title, some in zip(parts[::2], entries, strict=True)
    }


def public(is_wanted: Callable[[object], bool]) -> list[object]:
    values = (getattr(importlib.import_module(package), name) for package, name in NAMES)
    return [value for value in values if is_wanted(value)]


@pytest.mark.parametrize("function", public(inspect.isfunction), ids=lambda f: f.__qualname__)
def test_a_function_documents_parameters_result_and_errors(function: Callable[..., object]) -> None:
    signature, sections = inspect.signature(function), sections_of(function)
    assert sections["Parameters"] == [*signature.parameters]
    assert sections["Raises"]
    if signature.return_annotation != "None":
        assert sections.get("Returns") or sections["Yields"]
    assert "{run" not in (inspect.getdoc(function) or "")


@pytest.mark.parametrize("kind", public(dataclasses.is_dataclass), ids=lambda kind: kind.__name__)
def test_a_class_documents_its_attributes(kind: Any) -> None:
    sections = sections_of(kind)
    documented = sections.get("Attributes") or sections["Parameters"]
    assert {field.name for field in dataclasses.fields(kind)} <= {*documented}


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_the_same_names(package: str) -> None:
    path = Path(str(importlib.import_module(package).__file__))
    (guarded,) = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If))
    imported = {
        (alias.name, node.module)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == alias.asname
    }
    module = importlib.import_module(package)
    assert imported == {(name, getattr(module, name).__module__) for name in PUBLIC[package]}


def test_no_public_name_is_that_of_a_module() -> None:
    """A submodule that is imported becomes an attribute of its package, and would hide the name."""
    for package, name in NAMES:
        folder = Path(str(importlib.import_module(package).__file__)).parent
        assert not (folder / f"{name}.py").exists(), name
        assert not (folder / name).is_dir(), name


def test_a_name_that_is_not_there_is_an_ordinary_error() -> None:
    module = importlib.import_module("curation")
    with pytest.raises(AttributeError, match="module 'curation' has no attribute 'scroe'"):
        _ = module.scroe


def test_importing_the_packages_loads_nothing_heavy() -> None:
    program = (
        f"import sys, {', '.join(PACKAGES)}\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))\n"
        "from labeling import InputError\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n[]\n"), done.stderr


def test_the_how_to_imports_public_names_only() -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "python.md"
    imports = re.findall(r"^from (\w+) import (.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert imports
    for package, names in imports:
        assert set(names.split(", ")) <= set(PUBLIC[package])


@pytest.fixture
def with_a_strangers_folder(tmp_path: Path) -> Path:
    """Return a folder that holds a package with the name of one of ours."""
    (tmp_path / "labeling").mkdir()
    (tmp_path / "labeling" / "__init__.py").write_text("")
    return tmp_path


def run_there(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("line", ["from labeling import read_taxonomy", "import curation"])
def test_a_strangers_package_of_the_same_name_is_never_used_silently(
    with_a_strangers_folder: Path, line: str
) -> None:
    done = run_there(with_a_strangers_folder, sys.executable, "-c", line)
    assert done.returncode == 1
    assert "labeling" in done.stderr.splitlines()[-1]


def test_the_command_does_not_search_the_folder_that_it_is_started_in(
    with_a_strangers_folder: Path,
) -> None:
    winnow = Path(sys.executable).with_name("winnow")
    done = run_there(with_a_strangers_folder, str(winnow), "--version")
    assert done.returncode == 0, done.stderr
