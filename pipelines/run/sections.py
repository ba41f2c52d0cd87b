"""TOML files of settings, checked whole.

Every mistake is reported at once, each as ``file:line:column`` with the nearest known key.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from labeling.errors import ConfigError
from labeling.hints import did_you_mean

MAX_DEPTH = 16
"""Keys in one another in a file of settings, at most."""

MAX_SHOWN = 200
"""Characters of a value that a message shows."""

_Model = TypeVar("_Model", bound=BaseModel)

Overrides = Mapping[str, Any] | Sequence[str]
"""Values by ``section.key``; or texts ``section.key=value``, each value in TOML's notation."""


class Section(BaseModel):
    """A section of a TOML file; unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Return the content of a TOML file, and its text.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the configuration cannot be read",
            facts={"file": path, "cause": error},
            help="name a TOML file in UTF-8",
        ) from error
    try:
        return _loads(text), text
    except tomllib.TOMLDecodeError as error:
        twice = "Cannot declare" in str(error) or "Cannot overwrite" in str(error)
        raise ConfigError(
            "the configuration is not TOML",
            facts={"file": path, "cause": error},
            help="a section that may occur more than once has two brackets: [[archive]]"
            if twice
            else 'a line is `key = value`, with texts in quotes: path = "taxonomy.jsonl"',
        ) from error


def _loads(text: str) -> dict[str, Any]:
    """Return the content of a text in TOML; any fault of it is a TOMLDecodeError with its line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (RecursionError, ValueError) as error:
        fault = "nested too deeply" if isinstance(error, RecursionError) else "a number too long"
        lines = text.splitlines(keepends=True)
        first = bisect.bisect_left(range(len(lines)), True, key=lambda n: _fails(lines[: n + 1]))
        raise tomllib.TOMLDecodeError(f"{fault} (at line {first + 1})") from error


def _fails(lines: Sequence[str]) -> bool:
    """Return whether lines cannot be read for another reason than that they end too early."""
    try:
        tomllib.loads("".join(lines))
    except tomllib.TOMLDecodeError:
        return False
    except (RecursionError, ValueError):
        return True
    return False


def checked(
    model: type[_Model], content: Mapping[str, Any], where: str, text: str, reference: str
) -> _Model:
    """Return checked settings of any kind.

    Parameters
    ----------
    model
        Class of the settings.
    content
        The settings.
    where, text
        Name and text of their file; errors have the line and column in it.
    reference
        The page that lists every key, for the error.

    Raises
    ------
    ConfigError
        With every mistake.
    """
    positions = dict(_key_positions(text))
    refused = [
        f'{_head(path, positions, where)}"{".".join(map(str, path))}": {problem}'
        for path, problem in _refused(content)
    ]
    if refused:
        raise ConfigError("\n".join(refused), help=f"{reference} lists every key")
    try:
        return model.model_validate(_tuples(content))
    except ValidationError as error:
        problems = [_explain(e, positions, where, model) for e in error.errors(include_url=False)]
        raise ConfigError("\n".join(problems), help=f"{reference} lists every key") from None


def _refused(content: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the path to each value that no setting can have, and the problem."""
    pending: list[tuple[tuple[Any, ...], Any]] = [((), content)]
    while pending:
        path, value = pending.pop()
        if len(path) > MAX_DEPTH:
            yield path, f"nested more than {MAX_DEPTH} times"
        elif isinstance(value, Mapping):
            pending += [((*path, name), inner) for name, inner in reversed([*value.items()])]
        elif isinstance(value, list | tuple):
            pending += [((*path, n), inner) for n, inner in reversed([*enumerate(value)])]
        elif isinstance(value, str) and "\0" in value:
            yield path, f"a text with the character NUL, found {_cut(repr(value))}"
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield path, f"a number of more than 64 bits, found one of {value.bit_length():,}"


def _tuples(value: Any) -> Any:
    """Turn lists into tuples and numbers of NumPy into plain ones, as a strict pydantic asks."""
    if isinstance(value, Mapping):
        return {k: _tuples(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def override(content: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return settings with some keys replaced, unchecked.

    Raises
    ------
    ConfigError
        If a text is not ``key=value``, or a key lies in a list.
    """
    result: dict[str, Any] = {**content}
    for key, value in values_of(overrides).items():
        section = result
        *above, last = key.split(".")
        for name in above:
            inner = section.get(name, {})
            if not isinstance(inner, Mapping):
                raise ConfigError(
                    f'"{name}" of an override is not a section of keys',
                    facts={"-o": key},
                    help="lists of inputs are set in the file",
                )
            section[name] = {**inner}
            section = section[name]
        section[last] = value
    return result


def values_of(overrides: Overrides) -> Mapping[str, Any]:
    """Return the value of each key that is overridden; the last text of a key counts.

    A text without a value, such as ``audit.truth=``, unsets its key.

    Raises
    ------
    ConfigError
        If a text is not ``key=value``.
    """
    if isinstance(overrides, Mapping):
        return overrides
    values = {}
    for text in overrides:
        key, equals, written = text.partition("=")
        if not equals or not key:
            raise ConfigError(
                "an override is not of the form key=value",
                facts={"override": text},
                help='for example: `settings={"select.keep": 0.25}`',
            )
        values[key] = _parse_value(written) if written else None
    return values


def _parse_value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except (ValueError, RecursionError):  # no TOML, and a text if a text is asked for
        return written


def _explain(
    error: Any, positions: Mapping[tuple[Any, ...], str], where: str, model: type[BaseModel]
) -> str:
    path = tuple(error["loc"])
    key = _cut(".".join(map(str, path)))
    head = _head(path, positions, where)
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _known_keys(model, path[:-1]))
        return f'{head}unknown key "{key}"{hint}'
    if error["type"] == "missing":
        return f'{head}missing key "{key}"'
    if error["type"] == "tuple_type" and isinstance(error["input"], Mapping):
        return f"{head}there can be several [{key}]: write it with two brackets, [[{key}]]"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f'{head}"{key}": {message}, found {_cut(repr(error["input"]))}'


def _head(path: tuple[Any, ...], positions: Mapping[tuple[Any, ...], str], where: str) -> str:
    """Return the file, line and column of a key, or of the section that holds it."""
    below = (positions[known] for known in positions if known[: len(path)] == path)
    above = (positions[path[:n]] for n in range(len(path) - 1, 0, -1) if path[:n] in positions)
    position = next(below, None) or next(above, None)
    return f"{where}:{position}: " if position else f"{where}: "


def _cut(text: str) -> str:
    """Return a text for a message, without what is beyond `MAX_SHOWN` characters."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _known_keys(model: Any, path: tuple[Any, ...]) -> list[str]:
    for name in path:
        if isinstance(name, str):
            annotation = model.model_fields[name].annotation
            model = getattr(annotation, "__args__", (annotation,))[0]
    return list(model.model_fields)


_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.\-\"]+)\s*\]\]?")
_KEY = re.compile(r"^(\s*)([\w.\-\"]+)\s*=")


def _key_positions(text: str) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the path to each key of a TOML file, and its line and column."""
    section: tuple[Any, ...] = ()
    n_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header:
            name = header[2].replace('"', "")
            section = tuple(name.split("."))
            if header[1] == "[[":
                section = (*section, n_of.setdefault(name, 0))
                n_of[name] += 1
            yield section, f"{number}:{header.start(2) + 1}"
        elif key:
            names = key[2].replace('"', "").split(".")
            yield (*section, *names), f"{number}:{len(key[1]) + 1}"
