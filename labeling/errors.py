"""The errors that users see, each with the problem, the place, the value and the remedy.

The tree, with the exit code of the command line::

    WinnowError
    ├── ConfigError      2   the configuration or the command line is wrong
    ├── InputError       3   an input is missing, malformed or has a refused value
    │   └── UnreadableFile   a file of an input is damaged as a whole; others may be read
    ├── StoreError       3   an object store fails, or cannot be reached
    ├── EngineError      3   a job fails on the engine that it was sent to
    ├── IntegrityError   3   a file differs from its manifest
    ├── BusyError        3   another run is using the same folder
    └── QualityError     4   the result is below the required limit
"""

from __future__ import annotations

from collections.abc import Mapping

from labeling.secrets import masked


class WinnowError(Exception):
    """Base of all errors that winnow raises deliberately.

    Parameters
    ----------
    message
        One sentence that states the problem.
    facts
        Place and values, in the order in which they are shown.
    help
        Remedy. Arguments are written as in Python, `` `keep=` `` or
        `` `settings={"select.keep": 0.2}` ``; the command line prints its options.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, facts: Mapping[str, object] | None = None, help: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.facts = dict(facts or {})
        self.help = help

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  {name}: {value}" for name, value in self.facts.items()]
        if self.help:
            lines.append(f"  help: {self.help}")
        return masked("\n".join(lines))


class ConfigError(WinnowError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class InputError(WinnowError):
    """An input is missing, malformed or has a value that is refused."""


class UnreadableFile(InputError):
    """A file of an input is damaged as a whole: where there are others, it is rejected."""


class StoreError(WinnowError):
    """An object store fails or cannot be reached: the command ends, and no item is rejected."""


class EngineError(WinnowError):
    """A job fails on the engine that it was sent to, such as Flink: finished work is kept."""


class IntegrityError(WinnowError):
    """A file differs from its manifest."""


class BusyError(WinnowError):
    """Another run is using the same folder."""


class QualityError(WinnowError):
    """The result is below the required limit."""

    exit_code = 4
