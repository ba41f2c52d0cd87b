"""Public names of a package, each imported when it is first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping


def lazy_exports(
    package: str, names_of: Mapping[str, str]
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package.

    So `import labeling` is fast: NumPy, Arrow, Beam or torch are loaded with the first name that
    needs them.

    Parameters
    ----------
    package
        Its ``__name__``.
    names_of
        Public names of each module, separated by spaces.
    """
    module_of = {name: module for module, names in names_of.items() for name in names.split()}
    public = sorted(module_of)

    def get(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)  # so that the next look-up is an ordinary one
        return value

    return public, get, public.copy
