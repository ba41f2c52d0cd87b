"""TOML files of settings, checked whole.

Every mistake is reported at once, each as ``file:line:column`` with the nearest known key.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from labeling.errors import ConfigError

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
            "the configuration cannot be read", facts={"file": path, "cause": error}
        ) from error
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        twice = "Cannot declare" in str(error) or "Cannot overwrite" in str(error)
        raise ConfigError(
            "the configuration is not TOML",
            facts={"file": path, "cause": error},
            help="a section that may occur more than once has two brackets: [[archive]]"
            if twice
            else "",
        ) from error


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
    try:
        return model.model_validate(_tuples(content))
    except ValidationError as error:
        positions = dict(_key_positions(text))
        problems = [_explain(e, positions, where, model) for e in error.errors(include_url=False)]
        raise ConfigError("\n".join(problems), help=f"{reference} lists every key") from None


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
                facts={"-o": text},
                help="for example: -o select.keep=0.25",
            )
        values[key] = _parse_value(written)
    return values


def _parse_value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written


def _explain(
    error: Any, positions: Mapping[tuple[Any, ...], str], where: str, model: type[BaseModel]
) -> str:
    path = tuple(error["loc"])
    position = next(
        (positions[path[:n]] for n in range(len(path), 0, -1) if path[:n] in positions), ""
    )
    key = ".".join(map(str, path))
    head = f"{where}:{position}: " if position else f"{where}: "
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(
            str(path[-1]), _known_keys(model, path[:-1]), n=1, cutoff=0.5
        )
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        return f'{head}unknown key "{key}"{hint}'
    if error["type"] == "missing":
        return f'{head}missing key "{key}"'
    if error["type"] == "tuple_type" and isinstance(error["input"], Mapping):
        return f"{head}there can be several [{key}]: write it with two brackets, [[{key}]]"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f'{head}"{key}": {message}, found {error["input"]!r}'


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
