"""No text makes a pattern slow.

Every pattern in the sources is found by itself, and met by texts made to send a backtracking
matcher back and forth. What people write (names of labels) is never read as a pattern.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from labeling.matching.matcher import compile_matcher
from labeling.matching.texts import match_texts
from labeling.taxonomy.taxonomy import Label, build_taxonomy

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for package in ("labeling", "curation", "pipelines", "training")
    for path in sorted((ROOT / package).rglob("*.py"))
]

MOST_SECONDS = 0.05
SIZES = (1_000, 10_000, 100_000)
"""The first would take for ever where time grows exponentially, the second where quadratically."""

PUMPED = (
    "a",
    "0",
    "-",
    "/",
    ".",
    " ",
    "\n",
    "#",
    '"',
    "{",
    "f0",
    "a.",
    "/a",
    "a ",
    "0 ",
    "a:",
    "é",
    "<",
    "<a ",
    "</a",
    "<!--",
    "='",
    "&",
    "&#1",
)
BEGINNINGS = (
    "http:x x 12345678 x ",
    "http:x x 12345678 x x x x 1 x ",
    "HTTP/1.1",
    "charset=",
    "00000000 00 n 00 ",
    "/m/0a",
    "data:image/png;base64,",
    "x.tar#1+",
    "1;",
    "[[a",
    'a = "',
    "<a href='",
    "<img ",
)
ENDS = ("", "\x00")

TAGS = ("_INLINE_TAG", "ANCHOR")
"""Patterns that meet pages only, which are cut behind the end of their last tag beforehand."""


class PatternUse(NamedTuple):
    where: str
    pattern: re.Pattern[Any]
    method: str


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def uses(path: Path) -> Iterator[PatternUse]:
    """Yield each pattern of a module with the methods that it is used with."""
    source = path.read_text(encoding="utf-8")
    if "re." not in source:
        return
    tree = ast.parse(source)
    module = importlib.import_module(module_name(path))
    compiled = {n: value for n, value in vars(module).items() if isinstance(value, re.Pattern)}
    for node in ast.walk(tree):
        owner, method = called(node)
        if owner == "re" and method not in ("compile", "escape"):
            assert isinstance(node, ast.Call)
            if isinstance(node.args[0], ast.Constant):
                yield PatternUse(f"{path.name}:{node.lineno}", pattern_of(node), method)
        elif owner in compiled:
            yield PatternUse(f"{path.name}:{owner}", compiled[owner], method)


def called(node: ast.AST) -> tuple[str, str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return (owner.id if isinstance(owner, ast.Name) else "", node.func.attr)
    return "", ""


def pattern_of(call: ast.Call) -> re.Pattern[Any]:
    flags = [a for a in call.args[1:] if ast.unparse(a).startswith("re.")]
    flags += [k.value for k in call.keywords if k.arg == "flags"]
    value = 0
    for flag in flags:
        value |= eval(ast.unparse(flag), {"re": re})
    return re.compile(ast.literal_eval(call.args[0]), value)


USES = sorted({use for path in SOURCES for use in uses(path)}, key=str)
assert len(SOURCES) > 100
assert len(USES) > 10


def hostile(size: int) -> Iterator[str]:
    for beginning in ("", *BEGINNINGS) if size < SIZES[-1] else ("",):
        for pumped in PUMPED:
            for end in ENDS if size < SIZES[-1] else ENDS[-1:]:
                yield beginning + pumped * (size // len(pumped)) + end


def apply(use: PatternUse) -> Callable[[str], object]:
    as_bytes = isinstance(use.pattern.pattern, bytes)
    replacement: tuple[Any, ...] = ((b"" if as_bytes else ""),) if use.method == "sub" else ()
    method = getattr(use.pattern, use.method)
    end = ">" if use.where.partition(":")[2] in TAGS else ""
    whole: Callable[[Any], object] = list if use.method == "finditer" else bool
    return lambda text: whole(method(*replacement, text.encode() if as_bytes else text + end))


def seconds(function: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        function(text)
        best = min(best, time.process_time() - started)
        if best < MOST_SECONDS:
            break
    return best


def test_patterns_of_the_packages_are_collected() -> None:
    names = {use.where.partition(":")[0] for use in USES}
    assert {"arc.py", "http.py", "page.py", "urls.py", "sections.py", "images.py"} <= names
    assert len(USES) > 20


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.where}-{use.method}")
def test_no_text_makes_a_pattern_slow(use: PatternUse) -> None:
    function = apply(use)
    for size in SIZES:
        for text in hostile(size):
            taken = seconds(function, text)
            assert taken < MOST_SECONDS, f"{text[:40]!r} … {size} characters: {taken:.2f} s"


def test_the_search_for_slow_patterns_finds_one() -> None:
    slow = PatternUse("here", re.compile(r"a*b"), "search")
    with pytest.raises(AssertionError, match="characters"):
        test_no_text_makes_a_pattern_slow(slow)


def test_names_of_labels_are_not_read_as_patterns() -> None:
    names = ["(a+)+$", ".*", "[a-z]", "a|b", "^", "a{1000}"]
    labels = [Label(f"l{n}", ((name, ""),), (), None, n) for n, name in enumerate(names)]
    matcher = compile_matcher(build_taxonomy(labels, "test"))
    use = match_texts(matcher, pa.array(["a" * 50_000, "z b c", "a a"]))
    assert {(r, int(x)) for r, x in zip(use.row, use.label, strict=True)} <= {(2, 0)}
