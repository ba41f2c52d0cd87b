"""Checks of the arguments of public functions against their annotations.

`checks_arguments` decorates a function, `check_fields` is called by a dataclass. Numbers of NumPy
become those of Python, and texts become paths where a path is expected.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_type_hints
from typing import get_origin as origin_of

import numpy as np

from labeling.errors import InputError
from labeling.objects.client import is_address
from labeling.objects.paths import path_of

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Rule:
    """A condition on a value, and the values that it allows in words."""

    words: str
    allows: Callable[[Any], bool]


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can hold a text: it has no lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


Share = Annotated[float, Rule("a number above 0 and at most 1", lambda x: 0 < x <= 1)]
Probability = Annotated[float, Rule("a number above 0 and below 1", lambda x: 0 < x < 1)]
ErrorRate = Annotated[float, Rule("a number from 0 to less than 0.5", lambda x: 0 <= x < 0.5)]
Natural = Annotated[int, Rule("a whole number, 0 or more", lambda n: n >= 0)]
Positive = Annotated[int, Rule("a whole number, 1 or more", lambda n: n >= 1)]
Address = Annotated[str, Rule("an address of s3://, gs:// or az://", is_address)]
Text = Annotated[str, Rule("a text of Unicode characters", is_unicode)]


def checks_arguments(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a function raise `InputError` for an argument that its annotation does not allow.

    Examples
    --------
    >>> @checks_arguments
    ... def half(share: Share) -> float:
    ...     return share / 2
    >>> half(np.float32(0.5))
    0.25
    >>> half(50)
    Traceback (most recent call last):
    labeling.errors.InputError: share is not a number above 0 and at most 1
      function: labeling.half
      found: 50
      help: docs/reference/api.md lists every parameter
    """
    signature = inspect.signature(function)
    where = f"{function.__module__.partition('.')[0]}.{function.__qualname__}"

    @functools.cache
    def kinds() -> Mapping[str, Any]:
        bare = inspect.unwrap(function)
        # Not of the result, whose type may be imported for type checkers alone.
        written = {n: kind for n, kind in bare.__annotations__.items() if n != "return"}
        named = SimpleNamespace(__annotations__=written)
        return get_type_hints(named, bare.__globals__, include_extras=True)

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            given.arguments[name] = accept(value, kinds().get(name, Any), name, where)
        return function(*given.args, **given.kwargs)

    return call


def check_fields(instance: Any) -> None:
    """Raise `InputError` for a field of a dataclass that its annotation does not allow."""
    kind = type(instance)
    where = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    for name, field_kind in get_type_hints(kind, include_extras=True).items():
        value = accept(getattr(instance, name), field_kind, name, where)
        object.__setattr__(instance, name, value)


def accept(value: object, kind: Any, name: str, where: str) -> object:
    """Return a value in the type that an annotation asks for.

    Parameters
    ----------
    value
        Any value.
    kind
        The annotation: a class, a union, a literal, a sequence, a mapping, or one with a `Rule`.
    name, where
        Names of the argument and of its function, for the message.

    Raises
    ------
    InputError
        If the annotation does not allow the value.
    """
    try:
        return _accepted(value, kind)
    except (ValueError, OverflowError):
        raise InputError(
            f"{name} is not {_words(kind)}",
            facts={"function": where, "found": _shown(value)},
            help="docs/reference/api.md lists every parameter",
        ) from None


def _accepted(value: Any, kind: Any) -> Any:
    """Return a value in the type that an annotation asks for, or raise `ValueError`."""
    if kind in (Any, object) or isinstance(kind, TypeVar):
        return value
    origin, parts = origin_of(kind), get_args(kind)
    return _COMPOUND[origin](value, parts) if origin in _COMPOUND else _accepted_plain(value, kind)


def _accepted_plain(value: Any, kind: type) -> Any:
    if kind is Path:
        return _accepted_path(value)
    if kind in _NUMBERS and isinstance(value, bool | np.bool_) == (kind is bool):
        _require(isinstance(value, _NUMBERS[kind]))
        _require(kind is bool or math.isfinite(value))
        return kind(value)
    _require(isinstance(value, kind) and kind not in _NUMBERS)
    return value


def _accepted_path(value: Any) -> Path:
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else b""
    _require(isinstance(path, str) and path != "" and b"\0" not in os.fsencode(path))
    return path_of(value)


def _accepted_rule(value: Any, parts: tuple[Any, Rule]) -> Any:
    kind, rule = parts
    accepted = _accepted(value, kind)
    _require(rule.allows(accepted))
    return accepted


def _accepted_union(value: Any, parts: tuple[Any, ...]) -> Any:
    for part in _alternatives(parts):
        try:
            return _accepted(value, part)
        except (ValueError, OverflowError):
            continue
    raise ValueError


def _alternatives(parts: tuple[Any, ...]) -> list[Any]:
    """Return the parts of a union; beside a path a text is one, and no other text."""
    return [part for part in parts if part is not str or Path not in parts]


def _accepted_literal(value: Any, parts: tuple[str, ...]) -> Any:
    _require(isinstance(value, str) and value in parts)
    return value


def _accepted_sequence(value: Any, parts: tuple[Any, ...]) -> Any:
    """Return a list or a tuple as it is, with items in the type of its first part."""
    _require(isinstance(value, Sequence) and not isinstance(value, str | bytes))
    items = [_accepted(item, parts[0]) for item in value]
    return tuple(items) if isinstance(value, tuple) else items


def _accepted_tuple(value: Any, parts: tuple[Any, ...]) -> Any:
    items = _accepted_sequence(value, parts)
    _require(parts[-1] is Ellipsis or len(items) == len(parts))
    return tuple(items)


def _accepted_mapping(value: Any, parts: tuple[Any, ...]) -> Any:
    _require(isinstance(value, Mapping) and all(isinstance(name, parts[0]) for name in value))
    return value


_NUMBERS: Mapping[type, Any] = {float: Real, int: Integral, bool: (bool, np.bool_)}

_COMPOUND: Mapping[Any, Callable[[Any, Any], Any]] = {
    Annotated: _accepted_rule,
    Union: _accepted_union,
    UnionType: _accepted_union,
    Literal: _accepted_literal,
    Sequence: _accepted_sequence,
    tuple: _accepted_tuple,
    Mapping: _accepted_mapping,
}


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


_PLAIN = {
    float: "a finite number",
    int: "a whole number",
    bool: "True or False",
    str: "a text",
    Path: "a path",
    NoneType: "None",
}


def _words(kind: Any) -> str:
    """Return the values that an annotation allows in words."""
    origin, parts = origin_of(kind), get_args(kind)
    if origin is Annotated:
        return str(parts[1].words)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, _alternatives(parts)))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is Mapping:
        return "a dictionary"
    if origin in (Sequence, tuple):
        length = "" if origin is Sequence or parts[-1] is Ellipsis else f"of {len(parts)} items, "
        return f"a list, {length}each item {_words(parts[0])}"
    return _PLAIN.get(kind) or f"of the type {kind.__name__}"


def _shown(value: object) -> str:
    if isinstance(value, str | bytes | Real | list | tuple | dict | None):
        return reprlib.repr(value)
    return f"of the type {type(value).__name__}"
