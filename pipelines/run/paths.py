"""Absolute paths for workers, and short ones for people."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from labeling.errors import ConfigError, InputError
from labeling.objects.paths import ObjectPath

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")


def absolute(path: Path) -> Path:
    """Return the absolute path, symbolic links kept: workers may have another working folder.

    Raises
    ------
    ConfigError
        If it was made from an address, of which `pathlib` leaves one slash.
    """
    if isinstance(path, ObjectPath):
        return path
    if _ADDRESS.match(str(path)):
        raise ConfigError(
            "runs, configurations and answers are files of this machine, not objects of a store",
            facts={"path": str(path).replace(":/", "://", 1)},
            help="name a local path: files of a run are locked, renamed and mapped into memory,"
            " which object stores cannot do; copy a finished run, as with `aws s3 sync`",
        )
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
