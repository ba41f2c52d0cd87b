"""Pairs with known answers, mixed in to measure how often auditors err.

The answer is known where a file of settings gives it (``audit.known``), or where two auditors or
more, without the one who is measured, have the same sure verdict. Where only one other has judged a
pair, a second verdict on it shows how far auditors agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.audits.verdicts import Agreement, agreement
from curation.intervals.precision import clopper_pearson
from curation.pairs.pair_keys import find_pairs
from curation.report.facts import rounded
from curation.runs.stage import Stage
from labeling.keys.arrays import Ints
from labeling.schemas import AUDITS, CANDIDATES, TRUTH
from pipelines.auditing.known_answers import KnownAnswers
from pipelines.auditing.sheets import read_known
from pipelines.page.journal import Entry
from pipelines.page.lookup import rows_of
from pipelines.page.verdicts import Pair, final_verdicts
from pipelines.run.config import Config
from pipelines.run.progress import notify
from pipelines.run.saved_config import find_input

MIXED_IN = 0.1
"""Pairs with known answers for each pair that an auditor is asked for the first time."""

SURE = ("yes", "no")

Verdicts = Mapping[Pair, Mapping[str, str]]
"""Sure verdicts by auditor, for each pair."""


def known_of_file(config: Config, candidates: Stage, path: Path | None = None) -> dict[Pair, str]:
    """Return the verdicts of the file of known answers on candidates; none without such a file.

    It is the one of the settings, if no other is given.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
    """
    named = config.audit.known if path is None else str(path)
    if named is None:
        return {}
    known = read_known(find_input(config, named))
    pairs = rows_of(candidates, CANDIDATES, known["image_id"].to_pylist(), TRUTH.arrow.names)
    is_candidate = find_pairs(known, pairs) >= 0
    n_other = int(np.sum(~is_candidate))
    if n_other:
        notify(f"{n_other:,} of {len(known):,} known answers are not about candidates: left out")
    rows = known.filter(pa.array(is_candidate)).to_pylist()
    return {(row["image_id"], row["label_id"]): row["verdict"] for row in rows}


def at_most(n_mistakes: int, n: int, confidence: float) -> float | None:
    """Return the upper end of the interval of a rate (Clopper & Pearson 1934); None without pairs.

    Examples
    --------
    >>> round(at_most(0, 30, 0.95), 3)
    0.116
    """
    return float(clopper_pearson(n_mistakes, n, confidence)[1]) if n else None


def sure_verdicts(
    journals: Mapping[str, Sequence[Entry]], earlier: Iterable[Mapping[str, str]]
) -> Verdicts:
    """Return the sure verdicts of all auditors.

    Parameters
    ----------
    journals
        Lines by auditor.
    earlier
        Result of `pipelines.page.answers.rows_elsewhere`.
    """
    verdicts: dict[Pair, dict[str, str]] = {}
    for row in earlier:
        pair = row["image_id"], row["label_id"]
        verdicts.setdefault(pair, {})[row["auditor"]] = row["verdict"]
    for name, entries in journals.items():
        for pair, last in final_verdicts(entries, "first", "check").items():
            verdicts.setdefault(pair, {})[name] = last.verdict
    return {
        pair: {name: verdict for name, verdict in of_pair.items() if verdict in SURE}
        for pair, of_pair in verdicts.items()
    }


def agreed(of_pair: Mapping[str, str], auditor: str) -> str:
    """Return the verdict on which two others or more agree; empty where they do not.

    Examples
    --------
    >>> agreed({"ada": "no", "bob": "yes", "eve": "yes"}, "ada")
    'yes'
    >>> agreed({"ada": "no", "bob": "yes", "eve": "yes"}, "bob")
    ''
    """
    others = [verdict for name, verdict in of_pair.items() if name != auditor]
    return others[0] if len(others) > 1 and len(set(others)) == 1 else ""


def pairs_to_mix_in(
    known: Mapping[Pair, str],
    judged: Verdicts,
    auditor: str,
    asked: Collection[Pair],
    n: int,
    seed: int,
) -> list[Pair]:
    """Return pairs that show an auditor's errors, in the order in which to ask for them.

    First come those of a file, wrong and right ones in turn, then those on which others agree, then
    those that one other has judged; each in random order.

    Parameters
    ----------
    known
        Verdicts of a file.
    judged, auditor
        Sure verdicts of all auditors, and the one who is asked.
    asked
        Pairs that the auditor has judged, or is asked for anyhow.
    n
        Number of pairs, at most.
    seed
        Seed of the order.
    """
    left = set(asked) | {pair for pair, of_pair in judged.items() if auditor in of_pair}
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation
    of_file = [_in_order(shuffled, (p for p in known if known[p] == v)) for v in SURE]
    others = {pair: agreed(of_pair, auditor) for pair, of_pair in judged.items() if of_pair}
    of_others = [
        _in_order(shuffled, (p for p in others if bool(others[p]) == is_agreed))
        for is_agreed in (True, False)
    ]
    ordered = [*_in_turn(*of_file), *of_others[0], *of_others[1]]
    return [pair for pair in dict.fromkeys(ordered) if pair not in left][:n]


def _in_order(shuffled: Callable[[int], Ints], pairs: Iterable[Pair]) -> list[Pair]:
    ordered = sorted(pairs)
    return [ordered[i] for i in shuffled(len(ordered))]


def _in_turn(*lists: Sequence[Pair]) -> Iterator[Pair]:
    return (pair for pairs in zip_longest(*lists) for pair in pairs if pair is not None)


def measure_auditors(
    journals: Mapping[str, Sequence[Entry]], earlier: Iterable[Mapping[str, str]]
) -> list[KnownAnswers]:
    """Count the mistakes of each auditor in each mode of the page, by known answers.

    The parameters are those of `sure_verdicts`.
    """
    judged = sure_verdicts(journals, earlier)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for name, entries in journals.items():
        for pair, last in final_verdicts(entries, "first", "check").items():
            truth = last.known or agreed(judged[pair], name)
            if truth and last.verdict in SURE:
                counts[name, last.mode, truth, last.verdict] += 1
    return [
        KnownAnswers(
            name,
            mode,
            counts[name, mode, "no", "no"] + counts[name, mode, "no", "yes"],
            counts[name, mode, "no", "yes"],
            counts[name, mode, "yes", "no"] + counts[name, mode, "yes", "yes"],
            counts[name, mode, "yes", "no"],
        )
        for name, mode in sorted({(name, mode) for name, mode, _, _ in counts})
    ]


def agreement_of(judged: Verdicts) -> Agreement:
    """Return how far auditors agree on the pairs that several have judged."""
    rows = [
        {"image_id": image, "label_id": label, "verdict": verdict, "auditor": name}
        for (image, label), of_pair in judged.items()
        for name, verdict in of_pair.items()
    ]
    drawn = {"stratum": "", "p_inclusion": 1.0}
    table = [row | {"seq": seq} | drawn for seq, row in enumerate(rows)]
    return agreement(pa.Table.from_pylist(table, schema=AUDITS.arrow))


def describe_auditors(
    journals: Mapping[str, Sequence[Entry]],
    earlier: Sequence[Mapping[str, str]],
    confidence: float,
) -> dict[str, Any]:
    """Return the mistakes of all auditors by known answers, and how far they agree, for JSON.

    Parameters
    ----------
    journals, earlier
        As for `sure_verdicts`.
    confidence
        Of the interval of each rate, of which the upper end is given.
    """

    def described(row: KnownAnswers) -> dict[str, Any]:
        return asdict(row) | {
            "most_of_wrong": at_most(row.n_wrong_called_right, row.n_wrong, confidence),
            "most_of_right": at_most(row.n_right_called_wrong, row.n_right, confidence),
        }

    return {
        "known": [rounded(described(row)) for row in measure_auditors(journals, earlier)],
        "agreement": rounded(asdict(agreement_of(sure_verdicts(journals, earlier)))),
        "confidence": confidence,
    }
