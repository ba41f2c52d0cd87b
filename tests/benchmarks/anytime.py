"""Rates of broken promises where a person looks after every batch and may stop at any.

    python tests/benchmarks/anytime.py [--draws N --seed S]

The world and the draws are those of `guarantee.py`. At each look, after 150, 300, 600 and 1,000
audits, the target is proved with the confidence that `winnow audit sample --anytime` leaves that
look. A draw is broken if what is kept at *any* look is less precise than was promised. Kept
candidates are those of the last look, as a share of the oracle's; `once` is what a single look at
the same audits keeps. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from guarantee import Scored, audit, make_scored

from curation.intervals.confidence_sequence import confidence_of_look
from curation.intervals.judgements import Judgements
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import thresholds
from labeling.errors import QualityError

TARGETS = (0.8, 0.9)
LOOKS = (150, 300, 600, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold promises at every look.")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    world = make_scored(arguments.seed)
    cells = {str(target): measure(world, target, arguments.draws) for target in TARGETS}
    for name, cell in cells.items():
        print(name, *(f"{key} {value:.3f}" for key, value in cell.items()))
    print(json.dumps({"violations": max(c["violations"] for c in cells.values()), "cells": cells}))


def measure(world: Scored, target: float, n_draws: int) -> dict[str, float]:
    oracle = int(np.flatnonzero(world.precision >= target)[-1]) + 1
    n_broken, shares, shares_once = 0, [], []
    for draw in range(n_draws):
        kept = [
            n_kept(world, n, draw, target, confidence_of_look(look, 0.95))
            for look, n in enumerate(LOOKS, start=1)
        ]
        n_broken += any(k and world.precision[k - 1] < target for k in kept)
        shares.append(kept[-1] / oracle)
        shares_once.append(n_kept(world, LOOKS[-1], draw, target, 0.95) / oracle)
    return {
        "violations": n_broken / n_draws,
        "kept_vs_oracle": float(np.mean(shares)),
        "once": float(np.mean(shares_once)),
    }


def n_kept(world: Scored, n: int, draw: int, target: float, confidence: float) -> int:
    audits = audit(world, n, draw, target)
    verdicts, stratum = world.correct[audits.row], audits.stratum.astype(np.int8)
    cuts = thresholds(
        Judgements(audits.row, verdicts, audits.p_inclusion, stratum), world.p_correct
    )
    try:
        return int(cuts.n_kept[prove(cuts, target, confidence)])
    except QualityError:
        return 0


if __name__ == "__main__":
    main()
