"""The decorator of the public functions on a run, with the documentation that they share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from labeling.arguments import checks_arguments
from labeling.objects.paths import forget_objects

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_SHARED = {
    "{run}": """\
run
    Run folder.""",
    "{label_set}": """\
label_set
    ``selected`` labels, ``all`` candidates, or as many of them as are selected, drawn at
    ``random``.""",
    "{settings}": """\
settings
    Keys of the configuration to set for this call, such as ``{"select.keep": 0.25}``, or texts
    such as ``"select.keep=0.25"``; ``docs/reference/config.md`` lists the keys.""",
    "{run_errors}": """\
ConfigError
    If the configuration, or a key or value in `settings`, is wrong.
BusyError
    If another process works in the run folder.
IntegrityError
    If a file of the run is missing or differs from what was written.
StoreError
    If an object store fails, or cannot be reached.""",
}


def step(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check the arguments of a function; its docstring holds names of `_SHARED` for their texts.

    Objects may change after it, so that nothing is kept of them.
    """
    text = inspect.getdoc(function) or ""
    for name, shared in _SHARED.items():
        text = text.replace(name, shared)
    function.__doc__ = text

    @functools.wraps(function)
    def forgetting(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        finally:
            forget_objects()

    return checks_arguments(forgetting)
