"""Paths as people type them, and as workers need them."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """Return a path from the root on, links in it kept: workers may have another working folder."""
    return Path(os.path.abspath(path))


def shown(path: Path) -> str:
    """Return an absolute path as a person types it: relative where it is in the working folder.

    Examples
    --------
    >>> shown(Path.cwd() / "runs" / "mine"), shown(Path("/data/mine"))
    ('runs/mine', '/data/mine')
    """
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
