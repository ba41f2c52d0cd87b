"""Absolute paths for workers, and short ones for people."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from labeling.errors import InputError


def absolute(path: Path) -> Path:
    """Return the absolute path, symbolic links kept: workers may have another working folder."""
    return Path(os.path.abspath(path))


def existing(path: Path, is_folder: bool = False) -> Path:
    """Return the path of a file that is there, with `is_folder` of a file or a folder.

    Raises
    ------
    InputError
        If it is missing.
    """
    if not path.is_file() and not (is_folder and path.is_dir()):
        raise InputError(
            "there is no such file", facts={"file": path}, help="check the path, and its folder"
        )
    return path


def shown(path: Path) -> str:
    """Return an absolute path for a message: relative where it is in the working folder.

    Examples
    --------
    >>> shown(Path.cwd() / "runs" / "mine"), shown(Path("/data/mine"))
    ('runs/mine', '/data/mine')
    """
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def typed(path: Path) -> str:
    """Return a path as a suggested command has it: as `shown`, quoted where the shell needs it.

    Examples
    --------
    >>> typed(Path.cwd() / "runs" / "my first")
    "'runs/my first'"
    """
    return shlex.quote(shown(path))
