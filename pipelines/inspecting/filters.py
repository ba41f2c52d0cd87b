"""The language of `winnow inspect --where`: a text to a tree of conditions. Nothing is evaluated.

::

    label_id = red and p_correct >= 0.9
    source in (alt, title) and not (lang is null or text ~ "buy now")

A condition compares a column with values: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``~``
(contains), ``!~``, ``in (…)``, ``not in (…)``, ``is null``, ``is not null``; a column of yes and no
stands by itself. ``and`` binds tighter than ``or``. A value with a space or a sign in it is put in
quotes, single or double; a quote within is written twice. As in SQL, a missing value meets no
condition but ``is null``, whether or not there is a ``not`` before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from rich.cells import cell_len

from labeling.errors import ConfigError
from labeling.taxonomy.confusables import visible

MAX_CONDITIONS = 500
MAX_DEPTH = 50
"""Conditions of a filter, and parentheses within each other."""

OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "~", "!~")

_KEYWORDS = ("and", "or", "not", "in", "is", "null")
_NEGATED = {"!=": "=", "!~": "~"}

_TOKEN = re.compile(
    r"""\s+
    | (?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
    | (?P<sign>==|!=|<=|>=|!~|[=<>~(),])
    | (?P<word>[^\s"'=<>~!(),]+)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Condition:
    """A column held against values; where `negated`, rows with a value that does not meet it.

    `operator` is ``=``, ``<``, ``<=``, ``>``, ``>=``, ``~``, ``in``, ``null`` or ``true``. `place`
    and `value_places` count characters of the filter from 0, for messages.
    """

    column: str
    operator: str
    values: tuple[str, ...]
    negated: bool
    place: int
    value_places: tuple[int, ...] = ()


@dataclass(frozen=True)
class All:
    """All of some conditions."""

    parts: tuple[Condition | All | AnyOf, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of some conditions."""

    parts: tuple[Condition | All | AnyOf, ...]


Filter = Condition | All | AnyOf


def parse(text: str) -> Filter:
    """Return the conditions that a filter states; ``not`` is moved down to single conditions.

    Raises
    ------
    ConfigError
        With the place of the first mistake, whatever the text is.

    Examples
    --------
    >>> parse("not (p_correct >= 0.9 or kept)")  # doctest: +NORMALIZE_WHITESPACE
    All(parts=(Condition(column='p_correct', operator='>=', values=('0.9',), negated=True, place=5,
                         value_places=(18,)),
               Condition(column='kept', operator='true', values=(), negated=True, place=25,
                         value_places=())))
    >>> parse("p_correct >= and")
    Traceback (most recent call last):
    labeling.errors.ConfigError: a value is expected, found "and"
      p_correct >= and
                   ^
    """
    parser = _Parser(text, list(_tokens(text)))
    found = parser.either(False, 0)
    if parser.next.kind != "end":
        parser.refuse('"and", "or" or the end is expected')
    return found


def refuse(text: str, place: int, message: str, help: str = "") -> NoReturn:
    """Raise `ConfigError` with the filter and a mark below one of its characters."""
    before = cell_len(visible(text[:place]))
    lines = (message, f"  {visible(text)}", f"  {' ' * before}^")
    raise ConfigError("\n".join(lines), help=help)


class _Token(NamedTuple):
    kind: str
    text: str
    place: int

    def is_keyword(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


def _tokens(text: str) -> list[_Token]:
    tokens = []
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            unclosed = text[place] in "\"'"
            refuse(text, place, "a quote is not closed" if unclosed else "this sign has no meaning")
        if found.lastgroup == "quoted":
            quote = found[0][0]
            tokens.append(_Token("quoted", found[0][1:-1].replace(quote * 2, quote), place))
        elif found.lastgroup:
            tokens.append(_Token(found.lastgroup, found[0], place))
        place = found.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive descent; each method consumes what it is named for."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._n_conditions = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def either(self, negated: bool, depth: int) -> Filter:
        parts = [self._both(negated, depth)]
        while self._accept("or"):
            parts.append(self._both(negated, depth))
        if len(parts) == 1:
            return parts[0]
        return All(tuple(parts)) if negated else AnyOf(tuple(parts))

    def refuse(self, expected: str) -> NoReturn:
        token = self.next
        found = f'found "{visible(token.text)}"' if token.kind != "end" else "found the end"
        refuse(self._text, token.place, f"{expected}, {found}")

    def _both(self, negated: bool, depth: int) -> Filter:
        parts = [self._one(negated, depth)]
        while self._accept("and"):
            parts.append(self._one(negated, depth))
        if len(parts) == 1:
            return parts[0]
        return AnyOf(tuple(parts)) if negated else All(tuple(parts))

    def _one(self, negated: bool, depth: int) -> Filter:
        while self._accept("not"):
            negated = not negated
        if self.next.kind != "sign" or self.next.text != "(":
            return self._condition(negated)
        if depth == MAX_DEPTH:
            refuse(self._text, self.next.place, f"more than {MAX_DEPTH} parentheses are open")
        self._at += 1
        found = self.either(negated, depth + 1)
        self._expect(")")
        return found

    def _condition(self, negated: bool) -> Condition:
        column = self.next
        if column.kind != "word" or column.is_keyword(*_KEYWORDS):
            self.refuse("a column is expected")
        self._n_conditions += 1
        if self._n_conditions > MAX_CONDITIONS:
            refuse(self._text, column.place, f"there are more than {MAX_CONDITIONS} conditions")
        self._at += 1
        operator, values, inverted = self._rest()
        return Condition(
            column.text,
            operator,
            tuple(value.text for value in values),
            negated != inverted,
            column.place,
            tuple(value.place for value in values),
        )

    def _rest(self) -> tuple[str, list[_Token], bool]:
        """Consume what stands behind a column: the operator, the values, and whether inverted."""
        sign = self.next.text
        if self.next.kind == "sign" and sign in OPERATORS:
            self._at += 1
            operator = _NEGATED.get(sign, "=" if sign == "==" else sign)
            return operator, [self._value()], sign in _NEGATED
        if self._accept("is"):
            inverted = self._accept("not")
            if not self._accept("null"):
                self.refuse('"null" is expected')
            return "null", [], inverted
        if self.next.is_keyword("not") or self.next.is_keyword("in"):
            inverted = self._accept("not")
            if not self._accept("in"):
                self.refuse('"in" is expected')
            return "in", self._values(), inverted
        if self.next.kind in ("word", "quoted") and not self.next.is_keyword("and", "or"):
            self.refuse(f"an operator is expected ({' '.join(OPERATORS)}, in, is null)")
        return "true", [], False

    def _values(self) -> list[_Token]:
        self._expect("(")
        values = [self._value()]
        while self.next.kind == "sign" and self.next.text == ",":
            self._at += 1
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> _Token:
        token = self.next
        if token.kind not in ("word", "quoted") or token.is_keyword(*_KEYWORDS):
            self.refuse("a value is expected")
        self._at += 1
        return token

    def _accept(self, keyword: str) -> bool:
        found = self.next.is_keyword(keyword)
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if self.next.kind != "sign" or self.next.text != sign:
            self.refuse(f'"{sign}" is expected')
        self._at += 1
