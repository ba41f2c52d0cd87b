r"""Texts to words: normalised, split at word boundaries, whole columns at a time.

A word is a run of letters, digits and the marks that belong to them (Unicode Standard Annex 29,
with hyphens and apostrophes as boundaries that are remembered). In scripts written without spaces
each character is a word of its own, so that names are found inside runs.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.vocabulary import PADDING

MAX_TEXT = 10_000
"""Characters of a text that are read; web texts beyond it are lists of keywords."""

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

_BREAK, _LETTER, _HYPHEN, _APOSTROPHE, _FORMAT, _MARK, _CHARACTER = range(7)

Kinds = npt.NDArray[np.uint8]
"""``uint8[n]``: what each character does at word boundaries, one of the kinds above."""


@dataclass(frozen=True, eq=False)
class Words:
    """The words of some texts, text by text, each from left to right.

    Word i is ``letters[offsets[i]:offsets[i + 1]]``, UTF-8, normalised; `vocabulary.PADDING` zero
    bytes follow the last. ``row`` int64[n] is the place of the text, ``glued`` bool[n] whether a
    single hyphen or apostrophe joins the word to the one before it, ``parted`` bool[n] whether more
    than a space or two, a hyphen or an apostrophe stands between them: no phrase goes over it. The
    texts stand in no particular order.
    """

    letters: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    glued: npt.NDArray[np.bool_]
    parted: npt.NDArray[np.bool_]

    def to_arrow(self) -> pa.LargeStringArray:
        """Return the words as a text column, without copying."""
        offsets, letters = pa.py_buffer(self.offsets), pa.py_buffer(self.letters)
        return pa.LargeStringArray.from_buffers(len(self.row), offsets, letters)

    def texts(self) -> list[str]:
        """Return the words as texts."""
        texts: list[str] = self.to_arrow().to_pylist()
        return texts


def normalise(text: str) -> str:
    r"""Return a text as it is compared: NFKC, format characters removed, case folded.

    At most `MAX_TEXT` characters are read, and `MAX_MARKS` marks in a row.

    Examples
    --------
    >>> normalise("Ｎavy\u200b BLUE")
    'navy blue'
    """
    text = text[:MAX_TEXT]
    return text.casefold() if text.isascii() else _to_text(_fold(text))


def split_words(texts: pa.Array) -> Words:
    """Return the words of a text column; null has none.

    A final ``'s`` is left out: "girl's" is one word, "girl".

    Examples
    --------
    >>> words = split_words(pa.array(["A T-shirt,", None, "Girl's 毛衣"]))
    >>> words.texts()
    ['a', 't', 'shirt', 'girl', '毛', '衣']
    >>> words.row.tolist(), words.glued.tolist()
    ([0, 0, 0, 2, 2, 2], [False, False, True, False, False, False])
    """
    texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = texts.fill_null("")
    texts = _cut(_sound(texts))
    ascii_only = np.asarray(pc.string_is_ascii(texts), bool)
    if ascii_only.all():
        return _split_ascii(texts)
    rows = np.flatnonzero(ascii_only)
    plain = _split_ascii(texts.filter(pa.array(ascii_only)))
    others = np.flatnonzero(~ascii_only)
    rich = _split_unicode(texts.filter(pa.array(~ascii_only)))
    return Words(
        np.concatenate([plain.letters[:-PADDING], rich.letters]),
        np.concatenate([plain.offsets[:-1], plain.offsets[-1] + rich.offsets]),
        np.concatenate([rows[plain.row], others[rich.row]]),
        np.concatenate([plain.glued, rich.glued]),
        np.concatenate([plain.parted, rich.parted]),
    )


def _sound(texts: pa.Array) -> pa.Array:
    """Return the texts with bytes that are not UTF-8 replaced."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raw = texts.cast(pa.large_binary()).to_pylist()
        return pa.array([b.decode("utf-8", "replace") for b in raw], pa.large_string())
    return texts


def _cut(texts: pa.Array) -> pa.Array:
    long = pc.greater(pc.binary_length(texts), MAX_TEXT)
    if not pc.any(long).as_py():
        return texts
    return pc.replace_with_mask(
        texts, long, pc.utf8_slice_codeunits(texts.filter(long), 0, MAX_TEXT)
    )


def _split_ascii(texts: pa.Array) -> Words:
    offsets, data = _contents(texts)
    inside = _is_ascii_letter()[data]
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    cuts = offsets[(offsets > 0) & (offsets < len(data))]
    cuts = cuts[inside[cuts] & inside[cuts - 1]]
    cuts = cuts[np.diff(cuts, prepend=0) > 0]
    starts = np.sort(np.append(edges[::2], cuts), kind="stable")
    ends = np.sort(np.append(edges[1::2], cuts), kind="stable")
    row, glued, parted, kept = _trim(data, starts, ends, offsets)
    inside[starts[~kept]] = False
    letters = _ascii_lower()[data[inside]]
    return _words(letters, (ends - starts)[kept], row[kept], glued[kept], parted[kept])


def _split_unicode(texts: pa.Array) -> Words:
    texts = pc.replace_substring(texts, "\n", " ")
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(texts)], pa.int64()), texts)
    points = _fold(pc.binary_join(whole, pa.scalar("\n", pa.large_string()))[0].as_py())
    kind = _kinds()[points]
    breaks = np.flatnonzero(points == ord("\n"))
    offsets = np.concatenate([[0], breaks + 1, [len(points)]])
    inside = (kind == _LETTER) | (kind >= _MARK)
    first = inside & _new_words(kind, inside)
    last = inside & np.append(~inside[1:] | first[1:], True)[: len(inside)]
    starts, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    row, glued, parted, kept = _trim(points, starts, ends, offsets)
    inside[starts[~kept]] = False
    letters = points[inside]
    n_bytes = 1 + (letters >= 0x80) + (letters >= 0x800) + (letters >= 0x10000).astype(np.int64)
    reach = np.concatenate([[0], np.cumsum(n_bytes)])
    lengths = np.diff(reach[np.concatenate([[0], np.cumsum((ends - starts)[kept])])])
    encoded = np.frombuffer(_to_text(letters).encode(), np.uint8)
    return _words(encoded, lengths, row[kept], glued[kept], parted[kept])


def _contents(texts: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the bytes of a column, and where each text begins and the last ends."""
    _, offset_buffer, data_buffer = texts.buffers()
    if not len(texts) or data_buffer is None:
        return np.zeros(len(texts) + 1, np.int64), np.empty(0, np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], data


def _new_words(kind: Kinds, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where a word begins if the character is inside one; a mark goes on with its base."""
    place = np.arange(len(kind))
    base = kind[np.maximum.accumulate(np.where(kind != _MARK, place, 0))]
    new: npt.NDArray[np.bool_] = np.ones(len(kind), bool)
    new[1:] = ~inside[:-1] | (
        (kind[1:] != _MARK) & ((kind[1:] == _CHARACTER) | (base[:-1] == _CHARACTER))
    )
    return new


def _trim(
    points: npt.NDArray[np.uint8] | npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]
]:
    """Return the row of each word, whether it is glued, parted, and kept (not a final 's)."""
    n_words = np.diff(np.searchsorted(starts, offsets))
    row = np.repeat(np.arange(len(n_words)), n_words)
    glued = np.zeros(len(starts), bool)
    near = np.flatnonzero((starts[1:] - ends[:-1] == 1) & (row[1:] == row[:-1])) + 1
    between = _kinds()[points[starts[near] - 1]]
    glued[near] = (between == _HYPHEN) | (between == _APOSTROPHE)
    possessive = near[between == _APOSTROPHE]
    possessive = possessive[(ends - starts)[possessive] == 1]
    possessive = possessive[(points[starts[possessive]] | 0x20) == ord("s")]
    kept = np.ones(len(starts), bool)
    kept[possessive] = np.append(glued, False)[possessive + 1]
    return row, glued, _parted(points, starts, ends, row), kept


def _parted(
    points: npt.NDArray[np.uint8] | npt.NDArray[np.uint32],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    gap = starts[1:] - ends[:-1]
    joins = _joins()
    joined = joins[points[ends[:-1]]] & joins[points[starts[1:] - 1]] & (gap <= 2) | (gap == 0)
    parted: npt.NDArray[np.bool_] = np.ones(len(starts), bool)
    parted[1:] = ~joined | (row[1:] != row[:-1])
    return parted


def _words(
    letters: npt.NDArray[np.uint8],
    lengths: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    glued: npt.NDArray[np.bool_],
    parted: npt.NDArray[np.bool_],
) -> Words:
    padded = np.append(letters, np.zeros(PADDING, np.uint8))
    return Words(padded, np.append(0, np.cumsum(lengths)), row, glued, parted)


def _fold(text: str) -> npt.NDArray[np.uint32]:
    points = _points(text)
    points = _limit_marks(points[_kinds()[points] != _FORMAT])
    composed = unicodedata.normalize("NFKC", _to_text(points))
    return _limit_marks(_points(unicodedata.normalize("NFKC", composed.casefold())))


def _limit_marks(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    is_mark = _kinds()[points] == _MARK
    if np.count_nonzero(is_mark) <= MAX_MARKS:
        return points
    place = np.arange(len(points))
    base = np.maximum.accumulate(np.where(is_mark, -1, place))
    return points[place - base <= MAX_MARKS]


def _points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _to_text(points: npt.NDArray[np.uint32]) -> str:
    return points.tobytes().decode("utf-32-le", "surrogatepass")


@functools.cache
def _kinds() -> Kinds:
    """Return the kind of every code point."""
    of_category = {"L": _LETTER, "N": _LETTER, "M": _MARK}
    kinds = np.array(
        [of_category.get(unicodedata.category(chr(c))[0], _BREAK) for c in range(0x20000)]
        + [_BREAK] * (sys.maxunicode + 1 - 0x20000),
        np.uint8,
    )
    for low, high in _UNSPACED:
        letters = kinds[low : high + 1] == _LETTER
        kinds[low : high + 1][letters] = _CHARACTER
    kinds[0x20000:0x40000] = _CHARACTER
    for c in (*range(0x20000), *range(0xE0000, 0xE0200)):
        category = unicodedata.category(chr(c))
        if category == "Cf":
            kinds[c] = _FORMAT
        elif category[0] == "M":
            kinds[c] = _MARK
    kinds[[ord("-"), 0x2010]] = _HYPHEN
    kinds[[ord("'"), 0x2019]] = _APOSTROPHE
    return kinds


@functools.cache
def _joins() -> npt.NDArray[np.bool_]:
    """Return for every code point whether words with it between them may be of one phrase."""
    joins: npt.NDArray[np.bool_] = np.isin(_kinds(), (_HYPHEN, _APOSTROPHE))
    joins[[ord(" "), 0xA0]] = True
    return joins


@functools.cache
def _is_ascii_letter() -> npt.NDArray[np.bool_]:
    is_letter: npt.NDArray[np.bool_] = _kinds()[:256] == _LETTER
    is_letter[0x80:] = False
    return is_letter


@functools.cache
def _ascii_lower() -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytes(range(256)).lower(), np.uint8)
