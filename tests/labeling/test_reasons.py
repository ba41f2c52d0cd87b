"""Reasons of rejects: those in the code are those that are documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from labeling.reasons import INPUT_REASONS
from labeling.schemas import TABLES

ROOT = Path(__file__).parents[2]
FOLDERS = ("labeling/readers", "labeling/html", "labeling/keys", "pipelines/passes")

NODES = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.withitem)
OF_REJECTS = re.compile(
    r"(?i)reject|Broken\(|BadRow\(|Damage\(|BAD_FILE|losses|reason|_bad|bad\b|pointer"
)
REASON = re.compile(r"[a-z]+(_[a-z0-9]+)+|truncated")

OTHERS = frozenset(("before_image", "n_events", "user_key"))
"""Columns of passes, and a reason of events that are counted and not rejected."""


def reasons(source: str) -> Iterator[str]:
    """Yield texts that may be reasons: those in statements and functions on rejects."""
    for node in ast.walk(ast.parse(source)):
        is_function = isinstance(node, ast.FunctionDef)
        about = f"{node.name} {ast.unparse(node.returns or node.args)}" if is_function else ""
        about = ast.unparse(node) if isinstance(node, NODES) else about
        if OF_REJECTS.search(about):
            texts = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and REASON.fullmatch(text))


def test_every_reason_is_documented_and_every_documented_one_is_used() -> None:
    names = {field.name for table in TABLES for field in table.fields}
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    used = {reason for path in paths for reason in reasons(path.read_text("utf-8"))}
    assert used - names - OTHERS == set(INPUT_REASONS)
