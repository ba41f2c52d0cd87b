"""Everything below a folder, and what matches a pattern; links are followed, each folder once."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from labeling.objects.paths import ObjectPath, join

HIDDEN = "hidden"
"""Kind of files whose name, or a folder above, begins with a dot, or is of ``__MACOSX``."""

_ANY_DEPTH = "**"


def walk(root: Path) -> Iterator[Path]:
    """Yield what is below a folder and is not a folder: files, pipes, broken links.

    Links to folders are followed, after the folders that are there themselves. One that leads to a
    folder that was visited, or to one that holds `root`, is yielded itself, and so is a folder that
    cannot be read.
    """
    home = Path(os.path.realpath(root))
    seen: set[Path] = set()
    waiting = deque([root])
    while waiting:
        start = waiting.popleft()
        target = Path(os.path.realpath(start))
        if target in seen or (start != root and home.is_relative_to(target)):
            yield start
            continue
        errors: list[OSError] = []
        for parent, folders, names in os.walk(start, onerror=errors.append):
            here = Path(os.path.realpath(parent))
            if here in seen:
                folders.clear()
                continue
            seen.add(here)
            folders.sort()
            paths = [Path(parent, name) for name in folders]
            waiting.extend(path for path in paths if path.is_symlink())
            yield from (Path(parent, name) for name in sorted(names))
        yield from (Path(error.filename) for error in errors)


def entries(base: Path, path: str) -> Iterator[tuple[Path, bool]]:
    """Yield what `walk` does, of a path below a folder or of all that match it as a pattern.

    With each is whether it is `HIDDEN` below the folder that the path or the pattern names.
    """
    target = join(base, path)
    if isinstance(target, ObjectPath):
        yield from _object_entries(target)
        return
    for match in matches(base, path):
        # A folder that `walk` yields is not to be visited.
        is_walked = match == target or not _is_deep(path)
        files = walk(match) if is_walked and match.is_dir() else [match]
        yield from ((file, is_hidden(file.relative_to(match).parts)) for file in files)


def matches(base: Path, path: str) -> Iterator[Path]:
    """Yield the file or folder at a path below a folder; if it is missing, those that it matches.

    Of a path with ``**`` the files are yielded, also those below a folder that it matches.
    """
    target = join(base, path)
    if target.exists():
        yield target
    elif isinstance(target, ObjectPath):
        yield from (file for file, _ in _object_entries(target))
    elif _is_deep(path):
        # `glob` would follow links in circles.
        parts = Path(path).parts
        n_plain = next(n for n, part in enumerate(parts) if glob.has_magic(part))
        folder = base.joinpath(*parts[:n_plain])
        yield from (f for f in walk(folder) if _fits(f.relative_to(folder).parts, parts[n_plain:]))
    elif glob.has_magic(path):
        yield from (base / match for match in sorted(glob.glob(path, root_dir=base)))


def _object_entries(target: ObjectPath) -> Iterator[tuple[Path, bool]]:
    """Yield an object, all below a folder of objects, or those that match a pattern."""
    if target.is_file():
        yield target, False
        return
    n_plain = next((n for n, part in enumerate(target.parts) if glob.has_magic(part)), None)
    folder = target if n_plain is None else ObjectPath(*target.parts[:n_plain])
    patterns = target.parts[len(folder.parts) :]
    for file in folder.walk_objects():
        names = file.relative_to(folder).parts
        if _fits(names, patterns):
            yield file, _ANY_DEPTH not in patterns and is_hidden(names[len(patterns) :])


def is_hidden(parts: Iterable[str]) -> bool:
    """Return whether a path is `HIDDEN`, by its parts."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _is_deep(path: str) -> bool:
    return _ANY_DEPTH in Path(path).parts


def _fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether a path, or a folder above it, has the names that the patterns ask for."""
    if not patterns or not names:
        return not patterns
    name, pattern = names[0], patterns[0]
    if pattern == _ANY_DEPTH:
        is_shown = not is_hidden([name])
        return _fits(names, patterns[1:]) or (is_shown and _fits(names[1:], patterns))
    is_shown = not name.startswith(".") or pattern.startswith(".")
    return is_shown and fnmatchcase(name, pattern) and _fits(names[1:], patterns[1:])
