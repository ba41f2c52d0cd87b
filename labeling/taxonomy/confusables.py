"""Names that look like others but are not: told, never merged; and texts made safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

from labeling.taxonomy.taxonomy import Taxonomy

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")

# Letters of Cyrillic and Greek that most typefaces draw as they do a Latin one, and that one: from
# the table of confusables of Unicode Technical Standard 39.
_CYRILLIC = ("асԁеһіјӏорԛѕѵԝхуАВЕЗЅІЈКМНОРСТУХԜ", "acdehijlopqsvwxyABE3SIJKMHOPCTYXW")
_GREEK = ("αγινορσυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ayivopouABEZHIKMNOPTYX")
_LATIN_OF = str.maketrans(_CYRILLIC[0] + _GREEK[0], _CYRILLIC[1] + _GREEK[1])

_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


def odd_names(taxonomy: Taxonomy) -> list[str]:
    r"""Return a sentence for each name that may be taken for another one.

    That is a name with letters of several scripts in a word, and one that looks like the name of
    another label. They stay different names: a sign of a forged or damaged taxonomy, no proof.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> names = {"a": "cat", "b": "c\u0430t", "c": "\u0441\u043e\u0441\u043e", "d": "Coco"}
    >>> labels = [Label(i, ((name, ""),), (), None, 1) for i, name in names.items()]
    >>> for sentence in odd_names(build_taxonomy(labels, "doctest")):
    ...     print(sentence)
    b: 'c\u0430t' has letters of CYRILLIC, LATIN in a word
    b: 'c\u0430t' looks like 'cat' of a
    c: '\u0441\u043e\u0441\u043e' looks like 'Coco' of d
    """
    foreign: dict[str, list[tuple[int, str]]] = defaultdict(list)
    said = []
    for code, names in enumerate(taxonomy.names):
        for name, _ in names:
            if not name.isascii():
                scripts = _mixed(name)
                if scripts:
                    listed = ", ".join(scripts)
                    said.append((code, f"{ascii(name)} has letters of {listed} in a word"))
                if _look(name) != _fold(name):
                    foreign[_look(name)].append((code, name))
    if foreign:
        for other, names in enumerate(taxonomy.names):
            for shown, _ in names:
                for code, name in foreign.get(_look(shown), ()):
                    if code != other and _fold(name) != _fold(shown):
                        of = taxonomy.label_ids[other]
                        said.append((code, f"{ascii(name)} looks like {ascii(shown)} of {of}"))
    return [f"{taxonomy.label_ids[code]}: {sentence}" for code, sentence in sorted(set(said))]


def visible(text: object) -> str:
    r"""Return a text with whatever a terminal obeys or hides written as an escape.

    Examples
    --------
    >>> print(visible("cat\x1b[2J\u202egnp"))
    cat\x1b[2J\u202egnp
    """
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSEEN else c
        for c in str(text)
    )


def _mixed(name: str) -> list[str]:
    """Return the scripts of a word that has letters of several."""
    for word in _WORD.findall(unicodedata.normalize("NFKC", name)):
        scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
        if len(scripts.intersection(_SCRIPTS)) > 1:
            return sorted(scripts.intersection(_SCRIPTS))
    return []


def _look(name: str) -> str:
    return _fold(unicodedata.normalize("NFKC", name).translate(_LATIN_OF))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
