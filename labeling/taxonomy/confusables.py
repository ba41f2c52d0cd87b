"""Names that look like other names: reported, never merged; and texts made safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

from labeling.taxonomy.taxonomy import Taxonomy

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {"LATIN", "GREEK", "CYRILLIC"}

# Letters of Cyrillic and Greek that most typefaces draw as they do a Latin one, and that one: from
# the table of confusables of Unicode Technical Standard 39.
_CYRILLIC = ("асԁеһіјӏорԛѕѵԝхуАВЕЗЅІЈКМНОРСТУХԜ", "acdehijlopqsvwxyABE3SIJKMHOPCTYXW")
_GREEK = ("αγινορσυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ayivopouABEZHIKMNOPTYX")
_LATIN_OF = str.maketrans(_CYRILLIC[0] + _GREEK[0], _CYRILLIC[1] + _GREEK[1])

_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Categories of characters that a terminal obeys or does not show."""


def confusable_names(taxonomy: Taxonomy) -> list[str]:
    r"""Return a sentence for each name that a reader may confuse with another.

    These are names with letters of several scripts in a word, and names that look like a name of
    another label. They may be signs of a forged or damaged taxonomy, but are legal names.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> names = {"a": "cat", "b": "c\u0430t", "c": "\u0441\u043e\u0441\u043e", "d": "Coco"}
    >>> labels = [Label(label_id, ((name, ""),)) for label_id, name in names.items()]
    >>> for sentence in confusable_names(build_taxonomy(labels)):
    ...     print(sentence)
    b: 'c\u0430t' has letters of CYRILLIC, LATIN in a word
    b: 'c\u0430t' looks like 'cat' of a
    c: '\u0441\u043e\u0441\u043e' looks like 'Coco' of d
    """
    names = [(code, name) for code, names in enumerate(taxonomy.names) for name, _ in names]
    sentences = set()
    foreign: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for code, name in names:
        if not name.isascii():
            scripts = _mixed_scripts(name)
            if scripts:
                sentences.add((code, f"{ascii(name)} has letters of {scripts} in a word"))
            if _in_latin(name) != _fold(name):
                foreign[_in_latin(name)].append((code, name))
    for other, shown in names if foreign else ():
        for code, name in foreign.get(_in_latin(shown), ()):
            if code != other and _fold(name) != _fold(shown):
                of = taxonomy.label_ids[other]
                sentences.add((code, f"{ascii(name)} looks like {ascii(shown)} of {of}"))
    return [f"{taxonomy.label_ids[code]}: {sentence}" for code, sentence in sorted(sentences)]


def visible(text: object) -> str:
    r"""Return a text in which characters that a terminal obeys or hides are escapes.

    Examples
    --------
    >>> print(visible("cat\x1b[2J\u202egnp"))
    cat\x1b[2J\u202egnp
    """
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSEEN else c
        for c in str(text)
    )


def _mixed_scripts(name: str) -> str:
    """Return the scripts of the first word with letters of several, or ``""``."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", name)):
        scripts = _SCRIPTS & {unicodedata.name(c, "").partition(" ")[0] for c in word}
        if len(scripts) > 1:
            return ", ".join(sorted(scripts))
    return ""


def _in_latin(name: str) -> str:
    return _fold(unicodedata.normalize("NFKC", name).translate(_LATIN_OF))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
