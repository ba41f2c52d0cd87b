"""How fast names are found in web texts, beside other matchers with the same names.

    python tests/benchmarks/matching.py imagenet21k_oewn.jsonl.gz laion_alt_10000.parquet

Texts are the column TEXT, each with a word of its own at its end, so that nothing is gained from
texts that repeat. Seconds are CPU seconds of one process. Peers do less: no inflection, no hyphens,
no labels, only the names' places in text that is put in lower case for them, and they are read in
the same order of rows; `words only` finds the names at word boundaries, longest first. A peer that
is not installed is said to be absent.
The last line is JSON; `ratio` is our speed by the fastest peer's, `ratio_words` by that of the
fastest peer that minds word boundaries.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.matching import compile_matcher, match_texts
from labeling.taxonomies import read_taxonomy

Run = Callable[[list[str]], int]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the matcher and its peers.")
    parser.add_argument("taxonomy", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--copies", type=int, default=10, help="times that the texts are repeated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    arguments = parser.parse_args()
    taxonomy = read_taxonomy(arguments.taxonomy)
    names = sorted({name.lower() for names in taxonomy.names for name, _ in names if name.strip()})
    base = pq.read_table(arguments.texts, columns=["TEXT"])["TEXT"].to_pylist()
    texts = [f"{t} q{i}x{j}" for j in range(arguments.copies) for i, t in enumerate(base) if t]
    column = pa.array(texts)
    started = time.process_time()
    matcher = compile_matcher(taxonomy)
    compile_s = time.process_time() - started
    runs: dict[str, tuple[Run, list[str]]] = {}
    few = texts[: len(base)]
    for name, make in PEERS.items():
        try:
            runs[name] = (make(names), few)
        except ImportError:
            print(f"{name:34} absent")
    speeds: dict[str, float] = {}
    for _ in range(arguments.rounds):
        keep(speeds, "winnow", timed(lambda: len(match_texts(matcher, column).row), texts))
        for name, (run, sample) in runs.items():
            keep(speeds, name, timed(lambda run=run, sample=sample: run(sample), sample))
    for name, speed in sorted(speeds.items(), key=lambda item: -item[1]):
        print(f"{name:34} {speed:8.2f} MB/s")
    peers = {name: round(speed, 3) for name, speed in speeds.items() if name != "winnow"}
    words = [speed for name, speed in peers.items() if "inside words" not in name]
    result = {
        "mb_per_s": round(speeds["winnow"], 2),
        "ratio": round(speeds["winnow"] / max(peers.values()), 2) if peers else None,
        "ratio_words": round(speeds["winnow"] / max(words), 2) if words else None,
        "compile_s": round(compile_s, 2),
        "n_names": len(names),
        "n_bytes": pc.sum(pc.binary_length(column)).as_py(),
        "peers": peers,
    }
    print(json.dumps(result))


def timed(run: Callable[[], int], texts: list[str]) -> float:
    """Return megabytes of text in a CPU second."""
    n_bytes = sum(len(text.encode()) for text in texts)
    started = time.process_time()
    assert run() > 0
    return n_bytes / 1e6 / (time.process_time() - started)


def keep(speeds: dict[str, float], name: str, speed: float) -> None:
    speeds[name] = max(speed, speeds.get(name, 0.0))


def flashtext(names: list[str]) -> Run:
    from flashtext import KeywordProcessor

    processor = KeywordProcessor()
    processor.add_keywords_from_list(names)
    return lambda texts: sum(len(processor.extract_keywords(text)) for text in texts)


def pyahocorasick(names: list[str]) -> Run:
    """Every occurrence, also inside words, as the library's own example does it."""
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for number, name in enumerate(names):
        automaton.add_word(name, number)
    automaton.make_automaton()
    return lambda texts: sum(len(list(automaton.iter(text.lower()))) for text in texts)


def ahocorasick_rs(names: list[str]) -> Run:
    """Longest first, also inside words."""
    from ahocorasick_rs import AhoCorasick, MatchKind

    automaton = AhoCorasick(names, matchkind=MatchKind.LeftmostLongest)
    return lambda texts: sum(len(automaton.find_matches_as_indexes(text.lower())) for text in texts)


def ahocorasick_rs_words(names: list[str]) -> Run:
    """Longest first, between word boundaries: each name and each word stands between spaces."""
    import re

    from ahocorasick_rs import AhoCorasick, MatchKind

    split = re.compile(r"[^\W_]+").findall
    spaced = sorted({f" {'  '.join(split(name))} " for name in names})
    automaton = AhoCorasick(spaced, matchkind=MatchKind.LeftmostLongest)
    return lambda texts: sum(
        len(automaton.find_matches_as_indexes(f" {'  '.join(split(text.lower()))} "))
        for text in texts
    )


def spacy_phrase_matcher(names: list[str]) -> Run:
    import spacy
    from spacy.matcher import PhraseMatcher

    language = spacy.blank("en")
    phrases = PhraseMatcher(language.vocab, attr="LOWER")
    phrases.add("name", list(language.tokenizer.pipe(names)))
    return lambda texts: sum(len(phrases(doc)) for doc in language.tokenizer.pipe(texts))


PEERS: dict[str, Callable[[list[str]], Run]] = {
    "flashtext": flashtext,
    "pyahocorasick (inside words)": pyahocorasick,
    "ahocorasick_rs (inside words)": ahocorasick_rs,
    "ahocorasick_rs (words only)": ahocorasick_rs_words,
    "spaCy PhraseMatcher": spacy_phrase_matcher,
}


if __name__ == "__main__":
    main()
