"""English plurals, in both directions, and English function words."""

from __future__ import annotations

IRREGULAR = {
    "axes": "axe",
    "calves": "calf",
    "children": "child",
    "dice": "die",
    "elves": "elf",
    "feet": "foot",
    "geese": "goose",
    "halves": "half",
    "hooves": "hoof",
    "kine": "cow",
    "knives": "knife",
    "leaves": "leaf",
    "lice": "louse",
    "lives": "life",
    "loaves": "loaf",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "people": "person",
    "potatoes": "potato",
    "scarves": "scarf",
    "sheaves": "sheaf",
    "shelves": "shelf",
    "teeth": "tooth",
    "thieves": "thief",
    "tomatoes": "tomato",
    "wharves": "wharf",
    "wives": "wife",
    "wolves": "wolf",
    "women": "woman",
}
"""Irregular plurals with their singulars; also at the end of a compound ("fireman")."""

_FUNCTION_WORDS = """
a about above across after against all along although am among amongst an and another any are
around as at be because been before behind being below beneath beside besides between beyond both
but by can could despite did do does doing done during each either else ever every except few for
from had has have having he hence her here hers herself him himself his how however i if in inside
into is it its itself just less many may me might mine more most much must my myself near neither
never no nobody none nor not nothing of off often on once one only onto or other others ought our
ours ourselves out outside over own per quite rather same several shall she should since so some
somebody someone something still such than that the their theirs them themselves then there
therefore these they this those though through throughout thus till to together too toward towards
under until unto up upon us very via was we were what whatever when whenever where wherever
whether which while who whoever whom whose why will with within without would yes yet you your
yours yourself yourselves
"""

FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English articles, pronouns, prepositions, conjunctions, auxiliaries and adverbs of degree.

These are closed classes (Quirk et al., A Comprehensive Grammar of the English Language, 1985,
section 2.39): they have no new members, so that the list is valid for every set of texts. A label
whose name is such a word ("in" for inch, "he" for helium, "can") is not named by the word alone."""

_ENDINGS = tuple(sorted(IRREGULAR.items()))
_COMPOUNDING = ("men", "women", "children", "feet", "geese", "teeth", "knives", "mice", "wives")


def singular(word: str) -> str:
    """Return the word without an English plural.

    Examples
    --------
    >>> [singular(w) for w in ("cherries", "buses", "apples", "glass", "bus", "is", "firemen")]
    ['cherry', 'bus', 'apple', 'glass', 'bus', 'is', 'fireman']
    """
    if word in IRREGULAR:
        return IRREGULAR[word]
    for ending in _COMPOUNDING:
        if word.endswith(ending):
            return word.removesuffix(ending) + IRREGULAR[ending]
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes", "uses")):
        return word[:-2]
    return word[:-1]


def forms(word: str) -> list[str]:
    """Return all words with the same singular, sorted: the word itself and its inflections.

    Examples
    --------
    >>> forms("shorts"), forms("cherry"), forms("man")
    (['short', 'shorts'], ['cherries', 'cherry', 'cherrys'], ['man', 'mans', 'men'])
    """
    base = singular(word)
    tried = {word, base, base + "s", base + "es"}
    if base.endswith("y"):
        tried.add(base[:-1] + "ies")
    tried |= {
        base.removesuffix(ending) + plural for plural, ending in _ENDINGS if base.endswith(ending)
    }
    return sorted(w for w in tried if singular(w) == base)
