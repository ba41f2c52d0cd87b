"""Inflected forms of nouns: "cherries" of "cherry", "Hunde" of "Hund", "chevaux" of "cheval".

The dictionaries of `simplemma` give the lemma of each form, in some fifty languages. They mix
nouns and verbs, so that of the forms of an English word only those count that are spelled as
its plural; and a word of its own ("news") is not the plural of another ("new"). A word that the
English dictionary lacks has the regular plural.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from labeling.text.accents import without_accents
from labeling.text.function_words import FUNCTION_WORDS

_PLURAL_ONLY = """
arms binoculars boxers braces briefs clothes clubs colours colors cords corduroys customs dives
drawers fatigues flannels flats forceps glasses goggles goods greens jeans leathers lights looks
minutes overalls pants pliers remains scales scissors shades shears shorts singles slacks specs
spectacles spirits sweats sweets tights trunks tweezers waders whites woods works
"""

PLURAL_ONLY = frozenset(_PLURAL_ONLY.split())
"""English plurals that name something else than several of their singular.

Summation plurals and other plural-only nouns (Quirk et al., A Comprehensive Grammar of the English
Language, 1985, sections 5.76 and 5.77), as far as they have a singular at all. "Shorts" are not
named by "short", nor "glasses" by "glass", but "track pants" are by "track pant". "Glasses" may
still be several of a glass."""

_OF_ADJECTIVES = frozenset({"briefs", "flats", "greens", "shorts", "slacks", "sweets", "tights"})
"""Those whose singular is an adjective more often than a noun."""

IRREGULAR = {
    "calves": "calf",
    "cherubim": "cherub",
    "children": "child",
    "corpora": "corpus",
    "data": "datum",
    "dice": "die",
    "elves": "elf",
    "feet": "foot",
    "geese": "goose",
    "genera": "genus",
    "graffiti": "graffito",
    "halves": "half",
    "hooves": "hoof",
    "knives": "knife",
    "leaves": "leaf",
    "lenses": "lens",
    "lice": "louse",
    "lives": "life",
    "loaves": "loaf",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "paparazzi": "paparazzo",
    "people": "person",
    "scarves": "scarf",
    "schemata": "schema",
    "sheaves": "sheaf",
    "shelves": "shelf",
    "stigmata": "stigma",
    "teeth": "tooth",
    "thieves": "thief",
    "wharves": "wharf",
    "wives": "wife",
    "wolves": "wolf",
    "women": "woman",
}
"""English plurals that no ending gives, or for which the dictionary has another lemma ("leave")."""

_ENDINGS = (
    *(("", "s"), ("", "es"), ("y", "ies"), ("f", "ves"), ("fe", "ves"), ("z", "zzes")),
    *(("is", "es"), ("us", "i"), ("um", "a"), ("on", "a"), ("a", "ae"), ("ix", "ices")),
    *(("ex", "ices"), ("eau", "eaux")),
    *((singular, plural) for plural, singular in IRREGULAR.items()),
)
"""Endings of an English singular, each with one of its plural."""

_LANGUAGES = {"no": "nb", "sr": "hbs", "hr": "hbs", "bs": "hbs", "iw": "he", "in": "id"} | {
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "dut": "nl",
    "rus": "ru",
    "pol": "pl",
    "swe": "sv",
    "dan": "da",
    "nor": "nb",
    "nob": "nb",
    "fin": "fi",
    "ces": "cs",
    "cze": "cs",
    "ell": "el",
    "gre": "el",
    "tur": "tr",
    "ukr": "uk",
    "hun": "hu",
    "ron": "ro",
    "rum": "ro",
    "cat": "ca",
    "glg": "gl",
}
"""Codes of languages that the dictionaries have under another code (ISO 639)."""


def language_code(tag: str) -> str:
    """Return the code of the dictionary of a language.

    Examples
    --------
    >>> [language_code(tag) for tag in ("en-US", "pt_BR", "DEU", "no")]
    ['en', 'pt', 'de', 'nb']
    """
    code = tag.strip().lower().replace("_", "-").partition("-")[0]
    return _LANGUAGES.get(code, code)


@functools.lru_cache(8)
def inflections(words: frozenset[str], language: str) -> dict[str, set[str]]:
    """Return the other forms of each word: plurals of a singular, singulars of a plural.

    Parameters
    ----------
    words
        Nouns, case folded.
    language
        Tag of their language, such as ``en`` or ``pt-BR``; words of a language without a dictionary
        have no other forms.

    Examples
    --------
    >>> forms = inflections(frozenset({"cherry", "knives", "news"}), "en")
    >>> [sorted(forms[word]) for word in ("cherry", "knives", "news")]
    [['cherries'], ['knife'], []]
    >>> sorted(inflections(frozenset({"chaussure"}), "fr")["chaussure"])
    ['chaussures']
    """
    code = language_code(language)
    lemmas = _lemmas(code)
    if code == "en":
        return {word: _english(word, lemmas) for word in words}
    return _of_dictionary(words, lemmas)


def _of_dictionary(words: Collection[str], lemmas: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the words of which each is the lemma, and its own lemma."""
    forms: dict[str, set[str]] = defaultdict(set)
    wanted = set(words)
    for form, lemma in lemmas.items():
        if (folded := lemma.casefold()) in wanted:
            forms[folded].add(form.casefold())
    for word in wanted:
        # A noun of German has a capital letter.
        lemma = lemmas.get(word.title()) or lemmas.get(word) or word
        forms[word].add(lemma.casefold())
        forms[word].discard(word)
    return forms


def _english(word: str, lemmas: Mapping[str, str]) -> set[str]:
    is_word = word.isalpha() and without_accents(word).isascii() and len(word) > 1
    if not is_word or (word in FUNCTION_WORDS and word.endswith("s")):
        return set()
    if word in PLURAL_ONLY:
        lemma = _lemma(word, lemmas)
        return {word.removesuffix("s") if lemma in (None, word) else str(lemma)}
    return set(_singulars(word, lemmas)) or set(_plurals(word, lemmas))


def _plurals(word: str, lemmas: Mapping[str, str]) -> Iterator[str]:
    """Yield the plurals of an English singular."""
    usual = _usual_plural(word)
    for ending, many in _ENDINGS:
        plural = word.removesuffix(ending) + many
        if not word.endswith(ending) or plural in _OF_ADJECTIVES:
            continue
        lemma = _lemma(plural, lemmas)
        is_compound = many in IRREGULAR and word.removesuffix(ending) in lemmas
        is_usual = plural == usual and (lemma is not None or not word.endswith("s"))
        is_likely = lemma != plural and (is_compound or is_usual)
        if lemma == word or IRREGULAR.get(plural) == word or is_likely:
            yield plural


def _usual_plural(word: str) -> str:
    """Return the plural as most words with such an ending have it."""
    if word.endswith("is"):
        return word[:-2] + "es"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    is_consonant = len(word) > 1 and word[-2] not in "aeiou"
    return word[:-1] + "ies" if word.endswith("y") and is_consonant else word + "s"


def _singulars(word: str, lemmas: Mapping[str, str]) -> Iterator[str]:
    """Yield the singulars of an English plural, and nothing for a word that is not a plural."""
    lemma = _lemma(word, lemmas)
    if lemma == word and word not in IRREGULAR:
        return
    for ending, many in _ENDINGS:
        singular = word.removesuffix(many) + ending
        is_known = singular == IRREGULAR.get(word, lemma) or lemma is None
        if word.endswith(many) and is_known and word in _plurals(singular, lemmas):
            yield singular


def _lemma(word: str, lemmas: Mapping[str, str]) -> str | None:
    """Return the lemma of a word, case folded: names of peoples have a capital letter."""
    lemma = lemmas.get(word) or lemmas.get(word.title())
    return lemma and lemma.casefold()


@functools.lru_cache(1)
def _lemmas(code: str) -> Mapping[str, str]:
    """Return the dictionary of a language; an empty one for a language that has none."""
    # Imported here, because who is given a compiled matcher needs no dictionary.
    from simplemma.strategies.dictionaries import DefaultDictionaryFactory
    from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

    return DefaultDictionaryFactory().get_dictionary(code) if code in SUPPORTED_LANGUAGES else {}
