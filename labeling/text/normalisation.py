r"""Texts normalised for comparison: NFKC, without format characters, case folded.

Folding one text with the tables of Unicode takes several passes. Most characters fold to one
character, whatever is next to them: texts of only such characters are folded by a table.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Ints, Mask
from labeling.keys.runs import run_sizes

MAX_TEXT = 10_000
"""Characters of a text that are read; longer web texts are lists of keywords."""

MAX_MARKS = 30
"""Marks in a row that are kept, as in Unicode's stream-safe text (Standard Annex 15, section 13):
sorting longer runs takes time quadratic in their length."""

_UNSPACED = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),
    (0x3031, 0x303C),
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),  # Han
    (0xA9E0, 0xA9FF),  # Myanmar Extended-B
    (0xAA60, 0xAADF),  # Myanmar Extended-A, Tai Viet
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),  # Kana Supplement and Extended
    (0x20000, 0x3FFFF),  # Han
)

_JAMO = (0x1100, 0x11FF)
"""Letters of Hangul syllables, which composition may join with the letter before them."""

_BREAK, _LETTER, _HYPHEN, _APOSTROPHE, _FORMAT, _MARK, _CHARACTER = range(7)

_SIGNS = np.array([ord(c) for c in ". -'.  "], np.uint32)
"""The character that replaces one of each role between words."""

_HARD = 0xFFFFFFFF
"""Value of `_easy` for a character that does not fold to one character in every text."""

Roles = npt.NDArray[np.uint8]
"""``uint8[n]``: one of the roles above for each character, by its effect on word boundaries."""

Points = npt.NDArray[np.uint32]
"""``uint32[n]``: the code points of a text."""


def spellings(texts: pa.Array) -> Iterator[tuple[Ints, pa.Buffer | bytes]]:
    r"""Yield the texts in parts: their indices, and normalised UTF-8 with one line per text.

    At most `MAX_TEXT` characters are read, and `MAX_MARKS` marks in a row. ASCII letters may still
    be in upper case. All other non-ASCII characters are letters, digits and their marks. In scripts
    without spaces, words are separated by a space.

    Parameters
    ----------
    texts
        ``large_string[n]`` without nulls; it may hold bytes that are not UTF-8.

    Examples
    --------
    >>> texts = pa.array(["ß—Größe", "T-shirt", "It’s 毛衣"], pa.large_string())
    >>> [(rows.tolist(), bytes(part).decode()) for rows, part in spellings(texts)]
    [([1], 'T-shirt'), ([2], "it's 毛 衣"), ([0], 'ss.grösse')]
    """
    is_ascii = np.asarray(pc.string_is_ascii(texts), bool)
    if is_ascii.any():
        yield np.flatnonzero(is_ascii), _lines(texts.filter(pa.array(is_ascii)))
    if is_ascii.all():
        return
    others = np.flatnonzero(~is_ascii)
    lines = _lines(_sound(texts.filter(pa.array(~is_ascii))))
    points = _points(bytes(lines).decode() + "\n")
    easy = _easy().take(points, mode="clip")
    ends = np.flatnonzero(points == ord("\n"))
    hard = np.zeros(len(others), bool)
    hard[np.searchsorted(ends, np.flatnonzero(easy == _HARD))] = True
    if not hard.any():
        yield others, _spell(easy[:-1])
        return
    is_hard = np.repeat(hard, np.diff(ends, prepend=-1))
    if not hard.all():
        yield others[~hard], _spell(easy[~is_hard][:-1])
    yield others[hard], _spell(_signed(_fold(_to_text(points[is_hard][:-1]))))


def _sound(texts: pa.Array) -> pa.Array:
    """Return the texts with bytes that are not UTF-8 replaced."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raw = texts.cast(pa.large_binary()).to_pylist()
        return pa.array([b.decode("utf-8", "replace") for b in raw], pa.large_string())
    return texts


def _lines(texts: pa.Array) -> pa.Buffer:
    """Return texts, cut to `MAX_TEXT`, with line feeds between them."""
    n_bytes = pc.binary_length(texts)
    if pc.max(n_bytes).as_py() > MAX_TEXT:
        long = pc.greater(n_bytes, MAX_TEXT)
        cut = pc.utf8_slice_codeunits(texts.filter(long), 0, MAX_TEXT)
        texts = pc.replace_with_mask(texts, long, cut)
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(texts)], pa.int64()), texts)
    joined = pc.binary_join(whole, pa.scalar("\n", pa.large_string()))[0].as_buffer()
    if np.count_nonzero(np.frombuffer(joined, np.uint8) == ord("\n")) >= len(texts):
        return _lines(pc.replace_substring(texts, "\n", "\t"))
    return joined


def _signed(points: Points) -> Points:
    """Return folded text with ASCII for all characters between words."""
    role = _roles().take(points)
    return np.where(_is_inside(role) | (points < 0x80), points, _SIGNS.take(role))


def _spell(points: Points) -> bytes:
    """Return folded text from `_signed` as UTF-8, with spaces where words meet."""
    if (points >= _UNSPACED[0][0]).any():
        points = np.insert(points, _meetings(_roles().take(points)), ord(" "))
    return _to_text(points).encode()


def _meetings(role: Roles) -> Ints:
    """Return the index of each word that begins right after another word.

    A mark belongs to the character before it.
    """
    is_character = role == _CHARACTER
    is_mark = role == _MARK
    if is_mark.any():
        is_character = is_character[
            np.maximum.accumulate(np.where(is_mark, 0, np.arange(len(role))))
        ]
    near = np.flatnonzero(is_character[1:] | is_character[:-1]) + 1
    meets = _is_inside(role[near]) & _is_inside(role[near - 1]) & ~is_mark[near]
    return near[np.flatnonzero(meets)]


def _is_inside(role: Roles) -> Mask:
    inside: Mask = (role == _LETTER) | (role >= _MARK)
    return inside


def _fold(text: str) -> Points:
    points = _points(text)
    points = _limit_marks(points[_roles()[points] != _FORMAT])
    composed = unicodedata.normalize("NFKC", _to_text(points))
    return _limit_marks(_points(unicodedata.normalize("NFKC", composed.casefold())))


def _limit_marks(points: Points) -> Points:
    is_mark = _roles()[points] == _MARK
    if np.count_nonzero(is_mark) <= MAX_MARKS:
        return points
    index = np.arange(len(points))
    base = np.maximum.accumulate(np.where(is_mark, -1, index))
    return points[index - base <= MAX_MARKS]


def _points(text: str) -> Points:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _to_text(points: Points) -> str:
    return points.tobytes().decode("utf-32-le", "surrogatepass")


@functools.cache
def _easy() -> Points:
    """Return the folded form of each character, from `_signed`, if it is one in every text.

    Others are `_HARD`: marks and jamo may join with the character before them. Signs that fold to
    several ("…") are replaced by one. The last entry is for all characters beyond the table.
    """
    points = np.arange(0x20000, dtype=np.uint32)
    left_out = (points == ord("\n")) | ((points >= 0xD800) & (points < 0xE000))
    lines = _to_text(np.stack([np.where(left_out, ord(" "), points), np.full_like(points, 10)], 1))
    composed = unicodedata.normalize("NFKC", lines)
    folded = _points(unicodedata.normalize("NFKC", composed.casefold()))
    starts = np.append(0, np.flatnonzero(folded == 10)[:-1] + 1)
    is_single = run_sizes(starts, len(folded)) == 2
    role = _roles()[folded]
    easy = np.where(is_single, folded[starts], _HARD).astype(np.uint32)
    easy[np.logical_and.reduceat(role == _BREAK, starts) & ~is_single] = ord(".")
    easy[np.isin(_roles()[points], (_FORMAT, _MARK)) | (role[starts] == _MARK)] = _HARD
    easy[(easy >= _JAMO[0]) & (easy <= _JAMO[1])] = _HARD
    easy[left_out] = np.where(points[left_out] == 10, 10, _HARD)
    easy[easy != _HARD] = _signed(easy[easy != _HARD])
    return np.append(easy, np.uint32(_HARD))


@functools.cache
def _roles() -> Roles:
    """Return the role of every code point."""
    of_category = {"L": _LETTER, "N": _LETTER, "M": _MARK, "Cf": _FORMAT}
    roles = np.full(sys.maxunicode + 1, _BREAK, np.uint8)
    for points in (range(0x20000), range(0xE0000, 0xE0200)):
        categories = map(unicodedata.category, map(chr, points))
        of_points = [of_category.get(c) or of_category.get(c[0], _BREAK) for c in categories]
        roles[points.start : points.stop] = of_points
    for low, high in _UNSPACED:
        letters = roles[low : high + 1] == _LETTER
        roles[low : high + 1][letters] = _CHARACTER
    roles[0x20000:0x40000] = _CHARACTER
    roles[[ord("-"), 0x2010]] = _HYPHEN
    roles[[ord("'"), 0x2019]] = _APOSTROPHE
    return roles
