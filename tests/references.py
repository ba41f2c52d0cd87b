"""Find references to modules, files, attributes and names that do not exist.

`python -m tests.references [PATH...]` prints each as ``file:line: reference: reason``. Docstrings
and comments of the packages and all docs are read; the code is parsed, never imported. Rules:

- a path below a folder of the repository, and a bare name of a Python file, must exist;
- what an example imports from the packages, and a dotted name that begins with a package, must lead
  to a module or to a name in one;
- in backticks, a dotted name that begins with a class must continue with a member of it; of other
  dotted names both ends must be words of the code;
- in backticks, a bare name must be a word of the code: a definition, parameter, attribute or
  keyword, or in a string (tables, columns, keys, commands); or be in `FOREIGN`.
"""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests import english

ROOT = english.ROOT
READ = [
    english.ROOT / name
    for name in (*english.PACKAGES, "tests", "docs", "README.md", "CONTRIBUTING.md")
]
PACKAGES = english.PACKAGES
FOLDERS = (*PACKAGES, "tests", "docs", "scripts")
REFERENCE = re.compile(r"(?<!`)(``?)(?!`)([^`\n]+)\1(?!`)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*")
FILE_BELOW = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:py|toml|md)\b")
IMPORT = re.compile(rf"from ((?:{'|'.join(PACKAGES)})[\w.]*) import ([\w, ]+)")
PLACEHOLDER = re.compile(r"[A-Z]{2,}_[a-z]\w*|[a-z]\w*_[A-Z]{2,}")
FILE = re.compile(r"\w+\.py")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
NAME = re.compile(r"[A-Za-z_]\w*")
# Names of other programs, of people's files, and that the code puts together from parts.
FOREIGN = frozenset(
    re.findall(
        r"\S+",
        """
        AWS_PROFILE AWS_SESSION_TOKEN Dockerfile WINNOW_DATA WINNOW_SPARK_JOB_ENDPOINT crash
        fashion finetune_accuracy_low finish_bundle n00001740 n_box_outside_the_image
        n_image_missing o_j org.example.www precision_at_1 precision_at_5 real torchrun train2017
        tshirt
        """,
    )
)
FILE_SUFFIX = re.compile(
    r"bin|cls|css|csv|gif|gz|html|jpe?g|jsonl?|log|md|noun|np[yz]|parquet|pdf|png|py|safetensors|svg"
    r"|tar|tmp|toml|tsv|txt|warc|wat|webp|xml|yaml|zip"
)


@dataclass
class Module:
    """The names of a module, and the members of its classes; a member of None is not known."""

    names: set[str] = field(default_factory=set)
    classes: dict[str, set[str] | None] = field(default_factory=dict)


@dataclass
class Tree:
    """The modules of the packages by dotted name, and every word of their code."""

    modules: dict[str, Module]
    words: set[str]
    root: Path

    @functools.cached_property
    def classes(self) -> dict[str, set[str] | None]:
        """Members by class name; None where two classes share a name or a base is foreign."""
        members: dict[str, set[str] | None] = {}
        for module in self.modules.values():
            for name, members_of_class in module.classes.items():
                members[name] = None if name in members else members_of_class
        return members

    @functools.cached_property
    def stems(self) -> set[str]:
        """The last parts of the modules' dotted names."""
        return {name.rpartition(".")[2] for name in self.modules}


def read_tree(root: Path = ROOT) -> Tree:
    """Parse every module of the packages below a folder."""
    modules, words = {}, {*dir(builtins), *keyword.kwlist, *PACKAGES}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            tree = ast.parse(path.read_text(encoding="utf-8"))
            modules[".".join(parts)] = _module(tree)
            words.update(parts, _words(tree))
    for name in list(modules):
        parent, _, child = name.rpartition(".")
        if parent in modules:
            modules[parent].names.add(child)
    return Tree(modules, words, root)


def _module(tree: ast.Module) -> Module:
    module = Module()
    for node in tree.body:
        module.names |= _defined(node)
        if isinstance(node, ast.If | ast.Try):
            module.names |= {name for inner in node.body for name in _defined(inner)}
        if isinstance(node, ast.ClassDef):
            module.classes[node.name] = _members(node)
    return module


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}


def _members(node: ast.ClassDef) -> set[str] | None:
    if any(ast.unparse(base) not in {"NamedTuple", "Protocol", "object"} for base in node.bases):
        return None
    defined = {name for statement in node.body for name in _defined(statement)}
    return defined | {
        n.attr
        for n in ast.walk(node)
        if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "self"
    }


def _words(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from () if node in docstrings else NAME.findall(node.value)
        for attribute in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(value := getattr(node, attribute, None), str):
                yield from value.split(".")


def fault(reference: str, tree: Tree) -> str | None:
    """Return the reason why a reference leads nowhere, or None."""
    text = re.sub(r"\([^()]*\)$", "", reference)
    if PATH.fullmatch(text):
        return None if (tree.root / text).exists() else "no such file"
    if text in FOREIGN:
        return None
    if FILE.fullmatch(text):
        return None if text[:-3] in tree.stems else "no module of this name"
    if DOTTED.fullmatch(text):
        return _dotted_fault(text, tree)
    if NAME.fullmatch(text) and len(text) > 1 and not PLACEHOLDER.fullmatch(text):
        return None if text in tree.words else "no such name"
    return None


def _dotted_fault(text: str, tree: Tree) -> str | None:
    first, *rest = text.split(".")
    if first in PACKAGES:
        return _package_fault(text, tree)
    if first == "tests":
        path = tree.root.joinpath(first, *rest)
        return None if path.with_suffix(".py").exists() else "no such module"
    if FILE_SUFFIX.fullmatch(rest[-1]):
        return None
    members = tree.classes.get(first)
    if members is not None and rest[0] not in members:
        return f"{first} has no {rest[0]}"
    return None if {first, rest[-1]} <= tree.words else "no such name"


def _package_fault(text: str, tree: Tree) -> str | None:
    parts = text.split(".")
    known = max(n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in tree.modules)
    module, rest = tree.modules[".".join(parts[:known])], parts[known:]
    if rest and rest[0] not in module.names:
        return f"{'.'.join(parts[:known])} has no {rest[0]}"
    members = module.classes.get(rest[0]) if len(rest) > 1 else None
    return None if members is None or rest[1] in members else f"{rest[0]} has no {rest[1]}"


def faults(path: Path, tree: Tree) -> list[str]:
    """Return each reference of a file that leads nowhere, with its line and the reason.

    Of tests, only the references to files and to the packages are looked at.
    """
    in_tests = "tests" in path.relative_to(tree.root).parts
    return [
        f"{path.relative_to(tree.root)}:{line}: {reference}: {reason}"
        for text in english.texts_of(path)
        if not (in_tests and text.kind == "message")
        for line, reference in sorted(set(_references(text)))
        if not in_tests or _is_below(reference)
        if (reason := fault(reference, tree))
    ]


def _is_below(reference: str) -> bool:
    return re.split(r"[./]", reference, maxsplit=1)[0] in FOLDERS and not reference.isalpha()


def _references(text: english.Text) -> Iterator[tuple[int, str]]:
    prose = FENCE.sub(lambda match: re.sub(r"\S", "_", match[0]), text.text)
    for match in REFERENCE.finditer("" if text.kind == "message" else prose):
        yield text.line + prose.count("\n", 0, match.start()), match[2].strip()
    for match in FILE_BELOW.finditer(text.text):
        yield text.line + text.text.count("\n", 0, match.start()), match[0]
    for match in IMPORT.finditer(text.text):
        for name in NAME.findall(match[2]):
            yield text.line + text.text.count("\n", 0, match.start()), f"{match[1]}.{name}"


def all_faults(paths: Iterable[Path], tree: Tree) -> list[str]:
    """Return the faults of the files among paths and below folders."""
    return [line for path in english.files(paths) for line in faults(path, tree)]


if __name__ == "__main__":
    for line in all_faults([Path(p).resolve() for p in sys.argv[1:]] or READ, read_tree()):
        print(line)
