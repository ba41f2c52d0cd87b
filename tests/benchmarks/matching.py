"""Speed of finding names in web texts, beside other matchers with the same names.

    python tests/benchmarks/matching.py imagenet21k_oewn.jsonl.gz laion_alt_10000.parquet

Texts are the column TEXT, twice: `repeated`, over and over, to a million rows, and `distinct`, each
with a word of its own at its end, so that nothing is gained from texts that repeat. Seconds are CPU
seconds of one process with one thread. Peers do less: no inflection, no hyphens, no labels, only
the names' places in text that is put in lower case for them; `words only` finds the names at word
boundaries, longest first. They match each text by itself, so that a sample is enough for their
speed. A peer that is not installed is reported as absent.
The last line is JSON; `ratio` is our speed by the fastest peer's, `ratio_words` by that of the
fastest peer that minds word boundaries, and `..._distinct` the same for distinct texts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.matching.matcher import compile_matcher
from labeling.matching.texts import match_texts
from labeling.taxonomy.published import read_taxonomy

Run = Callable[[list[str]], int]
Speeds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the matcher and its peers.")
    parser.add_argument("taxonomy", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--copies", type=int, default=100, help="times that texts are repeated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    taxonomy = read_taxonomy(arguments.taxonomy)
    names = sorted({name.lower() for names in taxonomy.names for name, _ in names if name.strip()})
    started = time.process_time()
    matcher = compile_matcher(taxonomy)
    compile_s = time.process_time() - started
    peers = dict(made(names))
    table = pq.read_table(arguments.texts, columns=["TEXT"])["TEXT"]
    base = [text for text in table.to_pylist() if text]
    result: dict[str, object] = {"compile_s": round(compile_s, 2), "n_names": len(names)}
    for ending, texts in (
        ("", pa.chunked_array([base] * arguments.copies)),
        ("_distinct", pa.array(distinct(base, max(1, arguments.copies // 10)))),
    ):
        sample = texts.slice(0, len(base)).to_pylist()
        speeds: Speeds = {}
        for _ in range(arguments.rounds):
            n_bytes = pc.sum(pc.binary_length(texts)).as_py()
            keep(
                speeds, "winnow", n_bytes, lambda texts=texts: len(match_texts(matcher, texts).row)
            )
            for name, run in peers.items():
                n_bytes = sum(len(text.encode()) for text in sample)
                keep(speeds, name, n_bytes, lambda run=run, sample=sample: run(sample))
        report(speeds, len(texts), ending)
        result |= summary(speeds, ending)
    print(json.dumps(result))


def distinct(texts: list[str], copies: int) -> list[str]:
    return [f"{text} q{i}x{j}" for j in range(copies) for i, text in enumerate(texts)]


def report(speeds: Speeds, n_rows: int, ending: str) -> None:
    print(f"{n_rows} {ending.strip('_') or 'repeated'} texts")
    for name, speed in sorted(speeds.items(), key=lambda item: -item[1]):
        print(f"  {name:34} {speed:8.2f} MB/s")


def summary(speeds: Speeds, ending: str) -> dict[str, object]:
    ours = speeds["winnow"]
    peers = {name: round(speed, 3) for name, speed in speeds.items() if name != "winnow"}
    words = [speed for name, speed in peers.items() if "inside words" not in name]
    return {
        f"mb_per_s{ending}": round(ours, 2),
        f"ratio{ending}": round(ours / max(peers.values()), 2) if peers else None,
        f"ratio_words{ending}": round(ours / max(words), 2) if words else None,
        f"peers{ending}": peers,
    }


def made(names: list[str]) -> Iterator[tuple[str, Run]]:
    for name, make in PEERS.items():
        try:
            yield name, make(names)
        except ImportError:
            print(f"{name:34} absent")


def keep(speeds: Speeds, name: str, n_bytes: int, run: Callable[[], int]) -> None:
    """Keep the greatest speed, in megabytes of text in a CPU second."""
    started = time.process_time()
    assert run() > 0
    speed = n_bytes / 1e6 / (time.process_time() - started)
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
    """Longest first, between word boundaries: each name and each word is between spaces."""
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
