"""Errors that users see name their remedy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("labeling/readers", "labeling/taxonomy", "curation", "pipelines")

ERRORS = frozenset(
    ("ConfigError", "InputError", "UnreadableFile", "QualityError", "BusyError", "IntegrityError")
)

OF_CALLERS = frozenset(
    (
        "labels are not an Arrow column of texts",
        "the samples of a shard are not sorted by image, or one occurs twice",
        "an image id may not become a file name",
    )
)
"""Errors of code that calls winnow, whose message is its remedy."""


def without_remedy(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the message of each error that is made without ``help``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        remedies = [key.value for key in node.keywords if key.arg == "help"]
        if name in ERRORS and (not remedies or ast.unparse(remedies[0]) == "''"):
            yield node.lineno, node.args[0].value if isinstance(node.args[0], ast.Constant) else ""


@pytest.mark.parametrize("call", ["InputError('x')", "errors.BusyError('x', help='')"])
def test_an_error_without_a_remedy_is_seen(call: str) -> None:
    assert list(without_remedy(f"raise {call}")) == [(1, "x")]
    assert not list(without_remedy("raise InputError('x', help='do y')"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_error_names_its_remedy(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    missing = [
        f"{path.relative_to(ROOT)}:{line} {message}"
        for path in files
        for line, message in without_remedy(path.read_text("utf-8"))
        if message not in OF_CALLERS
    ]
    assert not missing
