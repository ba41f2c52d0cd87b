"""The import rules: labeling <- curation <- pipelines; training sees shards and schemas alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("labeling", "curation", "pipelines", "training")
FORBIDDEN = {
    "labeling": {"curation", "pipelines", "training", "apache_beam", "torch", "sklearn", "PIL"},
    "curation": {"pipelines", "training", "apache_beam", "torch"},
    "pipelines": {"torch"},
    "training": {"pipelines", "apache_beam"},
}
TRAINING_MAY_SEE = {
    "curation.runs.durable",
    "labeling.arguments",
    "labeling.errors",
    "labeling.exports",
    "labeling.hints",
    "labeling.keys.arrays",
    "labeling.schemas",
    "labeling.threads",
    "labeling.taxonomy.taxonomy",
    "curation.shards.metadata",
    "curation.shards.tars",
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def sources(package: str, root: Path = ROOT) -> list[Path]:
    files = sorted((root / package).rglob("*.py"))
    assert files, f"no source of {package} below {root}"
    return files


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def forbidden_lines(package: str, root: Path = ROOT) -> list[str]:
    return [
        f"{path.relative_to(root)}:{line}: {package} may not import {name}"
        for path in sources(package, root)
        for line, name in imports(path)
        if name.split(".")[0] in FORBIDDEN[package]
    ]


@pytest.mark.parametrize("package", OURS)
def test_no_module_imports_what_its_package_may_not(package: str) -> None:
    assert forbidden_lines(package) == []


def test_training_sees_schemas_and_shards_alone() -> None:
    modules = {name_of(path) for p in ("labeling", "curation") for path in sources(p)}
    seen = {name for path in sources("training") for _, name in imports(path) if name in modules}
    assert seen
    assert seen <= TRAINING_MAY_SEE


def test_passes_do_not_import_the_jobs_that_run_them() -> None:
    passes = [path for path in sources("pipelines") if path.parent.name == "passes"]
    assert passes
    names = {name for path in passes for _, name in imports(path)}
    assert not {name for name in names if name.startswith("pipelines.jobs")}


def test_a_forbidden_import_is_found_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "labeling").mkdir()
    (tmp_path / "labeling" / "wrong.py").write_text("import numpy\nfrom torch import nn\n")
    assert forbidden_lines("labeling", tmp_path) == [
        "labeling/wrong.py:2: labeling may not import torch",
        "labeling/wrong.py:2: labeling may not import torch.nn",
    ]


def test_kernels_import_where_beam_torch_and_rarely_used_packages_cannot() -> None:
    modules = [name_of(path) for p in ("labeling", "curation") for path in sources(p)]
    assert {"labeling", "labeling.errors", "curation.runs.durable"} <= set(modules)
    modules += ["training.fit.config", "training.transfer", "pipelines.run.config"]
    absent = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('apache_beam', 'torch', 'simplemma', 'yaml'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    program = absent + "".join(f"import {module}\n" for module in modules)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_click_is_for_the_command_line_alone() -> None:
    users = {
        path.relative_to(ROOT)
        for package in OURS
        for path in sources(package)
        if any(name.split(".")[0] == "click" for _, name in imports(path))
    }
    assert Path("pipelines/cli.py") in users
    outside = users - {Path("pipelines/cli.py")}
    assert {path.parent for path in outside} == {Path("pipelines/commands")}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from pipelines.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "heavy = {'apache_beam', 'torch', 'pyarrow', 'numpy', 'pandas', 'sklearn', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
