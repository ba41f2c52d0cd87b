from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import resolve_name
from pathlib import Path

import pytest

from labeling.code_digest import PACKAGES, closure, code_digest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}
FILES = {
    **{
        f"labeling/{name}.py": (ROOT / "labeling" / f"{name}.py").read_text()
        for name in ("errors", "secrets", "code_digest")
    },
    "labeling/__init__.py": "def __getattr__(name): return {'find': 'labeling.text.find'}[name]\n",
    "labeling/top.py": "from .text import (\n    words,  # (of a text)\n    trie as t,\n)\n",
    "labeling/lazy.py": "def late():\n    from labeling.text import trie\n    return trie\n",
    "labeling/typed.py": "if TYPE_CHECKING:\n    from labeling import alone\n\n    X = 1\nY = 2\n",
    "labeling/by_export.py": "from labeling import find\n",
    "labeling/by_package.py": "import labeling\n",
    "labeling/alone.py": 'SHOWN = "shown.html"\n',
    "labeling/text/__init__.py": "",
    "labeling/text/words.py": "from ..keys import ids\n",
    "labeling/text/trie.py": "",
    "labeling/keys/__init__.py": "",
    "labeling/keys/ids.py": "",
    "labeling/templates/shown.html": "<p>",
    "labeling/templates/other.html": "<p>",
    **{f"{package}/__init__.py": "" for package in PACKAGES[1:]},
}


def write(root: Path) -> None:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def ask(root: Path, expression: str) -> subprocess.CompletedProcess[str]:
    program = f"from labeling.code_digest import closure, code_digest\nprint({expression})"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=root.parent,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )


def answer(root: Path, expression: str) -> str:
    done = ask(root, expression)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("top", "keys keys.ids text text.trie text.words top"),
        ("lazy", "lazy text text.trie"),
        ("alone", "alone"),
        ("typed", "typed"),
        ("text", "keys keys.ids text text.trie text.words"),
    ],
)
def test_all_that_a_module_can_import_is_found(tmp_path: Path, module: str, expected: str) -> None:
    write(tmp_path)
    names = answer(tmp_path, f"*closure('labeling.{module}')").split()
    assert names == ["labeling", *(f"labeling.{name}" for name in expected.split())]


@pytest.mark.parametrize("module", ["by_export", "by_package"])
def test_an_export_of_a_package_can_lie_in_any_of_its_modules(tmp_path: Path, module: str) -> None:
    write(tmp_path)
    names = answer(tmp_path, f"*closure('labeling.{module}')").split()
    assert set(names) == {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in FILES
        if name.startswith("labeling/") and name.endswith(".py")
    }


def test_an_edit_changes_the_digest_of_what_can_import_it(tmp_path: Path) -> None:
    write(tmp_path)
    asked = "*(code_digest(f'labeling.{m}')[:8] for m in ('top', 'lazy', 'alone'))"
    before = answer(tmp_path, asked).split()
    (tmp_path / "labeling" / "keys" / "ids.py").write_text("BITS = 64\n")
    after = answer(tmp_path, asked).split()
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True]
    (tmp_path / "labeling" / "templates" / "other.html").write_text("<b>")
    assert answer(tmp_path, asked).split() == after
    (tmp_path / "labeling" / "templates" / "shown.html").write_text("<b>")
    last = answer(tmp_path, asked).split()
    assert [a == b for a, b in zip(after, last, strict=True)] == [True, True, False]


def test_a_nested_edit_of_a_copy_of_our_code_is_seen_by_the_matchers_cache(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    before = answer(tmp_path, "code_digest('labeling.matching.cache')")
    with (tmp_path / "labeling" / "text" / "trie.py").open("a") as nested:
        nested.write("# edited\n")
    assert answer(tmp_path, "code_digest('labeling.matching.cache')") != before


def test_the_sources_may_lie_in_a_zip_file(tmp_path: Path) -> None:
    write(tmp_path)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as zipped:
        for name in FILES:
            zipped.write(tmp_path / name, name)
    asked = "code_digest('labeling.top')"
    assert answer(tmp_path / "all.zip", asked) == answer(tmp_path, asked)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("code_digest()", "no code"),
        ("code_digest('labeling.gone')", "the source of a module is missing"),
        ("code_digest('labeling.broken')", "the source of a module is missing"),
    ],
)
def test_a_digest_of_no_code_is_refused(tmp_path: Path, expression: str, message: str) -> None:
    write(tmp_path)
    (tmp_path / "labeling" / "broken.py").write_text("from labeling.gone import x\n")
    done = ask(tmp_path, expression)
    assert done.returncode != 0
    assert message in done.stderr


def is_for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_every_import_of_ours_is_seen() -> None:
    """The pattern that reads imports misses none that Python's own parser sees."""
    assert len(SOURCES) > 100
    for name, path in SOURCES.items():
        here = name if path.stem == "__init__" else name.rpartition(".")[0]
        seen: set[str] = set()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tree.body = [node for node in tree.body if not is_for_type_checkers(node)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                seen |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                module = resolve_name("." * node.level + (node.module or ""), here)
                seen |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        assert seen & set(SOURCES) <= set(closure(name)), name


def test_equal_code_has_an_equal_digest_of_64_digits() -> None:
    assert len(code_digest("labeling.keys.ids")) == 64
    assert code_digest("labeling.keys.ids") != code_digest("labeling.errors")
