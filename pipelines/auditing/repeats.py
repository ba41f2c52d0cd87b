"""Pairs of a sheet that are asked twice, to learn how often auditors err."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.pairs.pair_keys import find_pairs, pair_hash
from labeling.schemas import TRUTH


def with_repeats(asked: pa.Table, answers: pa.Table, n: int, seed: int) -> pa.Table:
    """Return the pairs to ask, with rows for a second verdict at random positions between them.

    Parameters
    ----------
    asked
        Pairs to ask for the first time, in order.
    answers
        Table of `labeling.schemas.AUDITS`: the answers so far.
    n
        Number of pairs that are to have two verdicts, with those that have them.
    seed
        Seed of the choice.

    Returns
    -------
    pa.Table
        ``image_id`` and ``label_id``; a pair that is asked twice comes the second time after the
        first.
    """
    of_answer = find_pairs(answers, answers)
    number, n_answers = np.unique(of_answer, return_counts=True)
    judged_once = answers.take(pa.array(number[n_answers == 1]))
    first, judged_once = (
        rows.select(TRUTH.arrow.names).cast(TRUTH.arrow) for rows in (asked, judged_once)
    )
    free = pa.concat_tables([first, judged_once])
    hashes = pair_hash(free, seed)
    n_missing = max(n - int(np.sum(n_answers > 1)), 0)
    chosen = np.argsort(hashes, kind="stable")[:n_missing]
    n_asked = len(first)
    earliest = np.where(chosen < n_asked, chosen, 0)
    share = np.random.Generator(np.random.PCG64(seed)).random(len(chosen))
    position = np.concatenate([np.arange(n_asked), earliest + 0.5 + share * (n_asked - earliest)])
    row = np.concatenate([np.arange(n_asked), chosen])
    return free.take(pa.array(row[np.argsort(position, kind="stable")]))
