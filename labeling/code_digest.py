"""Digests of code: outputs of a module are reused while all the code that it imports is the same.

Imports are read from the sources, also those within functions but not those for type checkers;
only the four packages themselves are imported. Names in strings, such as lazy exports, are not
imports; a module that imports such a name depends on the whole package.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from importlib.util import resolve_name

from labeling.errors import IntegrityError

PACKAGES = ("labeling", "curation", "pipelines", "training")

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|.*)|import[ \t]+(.*))", re.MULTILINE
)
_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t].*\n|\n)*", re.MULTILINE)  # never run
_COMMENT = re.compile(r"#.*")  # it may hold the bracket that would end a list of names
_NAME = re.compile(r"([.\w]+)(?:[ \t]+as[ \t]+(\w+))?")


@functools.cache
def code_digest(*modules: str) -> str:
    """Return the sha256 of the sources of some modules and of all modules of ours that they import.

    A file of another kind, such as a template, counts if one of these modules contains its name.

    Parameters
    ----------
    modules
        Dotted names; the name of a package means all of its modules.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    IntegrityError
        If a module, or one that it imports, has no source file.
    """
    digest = hashlib.sha256()
    names = closure(*modules)
    texts = {name: _source(name) for name in names}
    for name, text in texts.items():
        digest.update(f"{name} {len(text)}\n".encode() + text)
    whole = b"".join(texts.values())
    for name, file in sorted(_files()[1].items()):
        if file.name.encode() in whole:
            content = file.read_bytes()
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def closure(*modules: str) -> tuple[str, ...]:
    """Return the names of some modules and of all modules of ours that they import, sorted."""
    if not modules:
        raise AssertionError("no code to digest: name a module")
    reached: set[str] = set()
    waiting = [name for module in modules for name in _with_package(module)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _imported(name)
    return tuple(sorted(reached))


@functools.cache
def _imported(name: str) -> tuple[str, ...]:
    """Return the modules of ours that a module imports, and the package that contains it."""
    above = name.rpartition(".")[0]
    here = name if _is_package(name) else above
    reached = {*filter(None, [above])}
    for module, imported in _targets(_source(name).decode("utf-8"), here):
        if module.partition(".")[0] in PACKAGES:
            reached |= _reached(module, imported)
    return tuple(reached)


def _targets(text: str, here: str) -> Iterator[tuple[str, str]]:
    """Yield a module and a name that is imported from it, or a module and ``""``.

    ``import a.b`` gives access to all of ``a``, ``import a.b as c`` only to ``a.b``.
    """
    for source, names, modules in _IMPORT.findall(_COMMENT.sub("", _TYPES.sub("", text))):
        for name, alias in _NAME.findall(names or modules):
            if source:
                yield resolve_name(source, here), name
            else:
                yield name if alias else name.partition(".")[0], ""


def _reached(module: str, name: str) -> set[str]:
    if f"{module}.{name}" in _files()[0]:
        return {module, f"{module}.{name}"}
    return {*_with_package(module)}


def _with_package(name: str) -> list[str]:
    """Return a module, or all modules of a package: its exports can be in any of them."""
    return [name, *(m for m in _files()[0] if m.startswith(f"{name}."))]


def _is_package(name: str) -> bool:
    return any(module.startswith(f"{name}.") for module in _files()[0])


@functools.cache
def _source(name: str) -> bytes:
    file = _files()[0].get(name)
    if file is None:
        raise IntegrityError(
            "the source of a module is missing, so that its outputs cannot be checked",
            facts={"module": name},
            help="install winnow with its sources (*.py)",
        )
    return file.read_bytes()


@functools.cache
def _files() -> tuple[Mapping[str, Traversable], Mapping[str, Traversable]]:
    """Return our source files by the name of their module, and our other files by their path."""
    sources: dict[str, Traversable] = {}
    others: dict[str, Traversable] = {}
    for package in PACKAGES:
        for path, file in _walk(resources.files(package), package):
            if path.endswith(".py"):
                module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                sources[module] = file
            elif not path.endswith((".pyc", "/py.typed")):
                others[path] = file
    return sources, others


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}/{entry.name}")
        else:
            yield f"{path}/{entry.name}", entry
