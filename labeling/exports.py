"""Public names of a package, each imported when it is first used (PEP 562)."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

_EXPORT = re.compile(r"^    from (\S+) import (\w+) as \2$", re.MULTILINE)


def lazy_exports(
    package: str,
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    So `import labeling` is fast: NumPy, Arrow, Beam or torch are loaded with the first name that
    needs them. The names are those that the package's source imports for type checkers, each as
    ``from module import Name as Name``.

    Parameters
    ----------
    package
        Its ``__name__``.
    """
    spec: Any = sys.modules[package].__spec__
    exports = _EXPORT.findall(spec.loader.get_source(package))
    module_of = {name: module for module, name in exports}
    public = sorted(module_of)

    def get(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)  # so that the next look-up is an ordinary one
        return value

    return public, get, public.copy
