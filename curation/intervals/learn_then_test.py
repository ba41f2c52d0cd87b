"""Keep as many candidates as can be proved to be as precise as asked.

Learn-then-Test (Angelopoulos et al. 2021) on a fixed sequence: the sets of
`curation.intervals.thresholds.thresholds` are tested from the smallest to the largest, each for
"its precision is at most the target", until one cannot be rejected. The allowed error is split over
several starts; a start that is not used up passes its share on to the next sets (Wiens 2003, the
fallback procedure). All rejected sets hold at once with the confidence asked for, so the largest
may be taken. The tests are binomial on an effective number of audits (Korn & Graubard 1998): exact
if all pairs were drawn with the same probability, else an approximation that was validated by
simulation (`tests/benchmarks/guarantee.py`).
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from curation.intervals.precision import clopper_pearson
from curation.intervals.thresholds import Thresholds
from labeling.errors import ConfigError, QualityError
from labeling.keys.arrays import Mask

STARTS = (0.02, 0.07, 0.2)
"""Shares of the audits inside the sets that a sequence starts from; fixed before any verdict."""

NOT_BY_AUDITS = "ask for less: by these audits the best set is not so precise"
"""Remedy where no number of audits is enough."""

WITHOUT_FLOOR = "audit more pairs, ask for less, or select without a floor"
"""Remedy where the most probable alone are precise enough, and those that a floor adds are not."""

MIN_OF_START = 1.3
"""Audits in the smallest set to start from, in multiples of those that prove the target if all are
right: a set with fewer could only waste its part of the error."""


def prove(cuts: Thresholds, target: float, confidence: float = 0.95) -> int:
    """Return the row of the largest set whose precision is proved to be above the target.

    With probability `confidence` over the draw of the audits, the precision of the set is at
    least `target`.

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    QualityError
        If no set can be proved; it gives the best precision that can, and about how many audits
        the target would need.
    """
    check_target(target, confidence)
    row = largest_proved(cuts, target, 1 - confidence)
    if row is not None:
        return row
    raise unproved(cuts, target, confidence)


def check_target(target: float, confidence: float) -> None:
    """Raise `ConfigError` for a target or confidence that is not in (0, 1)."""
    for name, value in (("precision", target), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ConfigError(
                f"the {name} to hold is not above 0 and below 1",
                facts={name: value},
                help="give a share such as 0.9",
            )


def largest_proved(cuts: Thresholds, target: float, error: float) -> int | None:
    """Return the row of the largest set that is proved, or None: wrong with probability `error`."""
    proved = np.flatnonzero(_rejected(cuts, target, error))
    return int(proved[-1]) if len(proved) else None


def unproved(cuts: Thresholds, target: float, confidence: float) -> QualityError:
    """Return the error for a precision that is not proved; it gives the best that sets can have."""
    best = best_provable(cuts, confidence)
    shown = f"{best:.3f}" if best else "none"
    n_audits = int(cuts.estimates.n_audits.max(initial=0))
    n_needed = audits_needed(cuts, target, confidence)
    remedy = "audit more pairs, or ask for less" if n_needed or not n_audits else NOT_BY_AUDITS
    return QualityError(
        "the precision asked for cannot be proved",
        facts=unproved_facts(target, shown, confidence, n_audits, n_needed),
        help=WITHOUT_FLOOR if best >= target else remedy,
    )


def unproved_facts(
    target: float, best: str, confidence: float | str, n_audits: int, n_needed: int | None
) -> dict[str, object]:
    """Return the facts of the error for a precision that cannot be proved.

    Parameters
    ----------
    target, confidence
        Precision and confidence asked for.
    best
        The best precision that can be proved.
    n_audits, n_needed
        Audits there are, and about how many are needed; None if no number is enough.
    """
    needed = f"about {n_needed:,}" if n_needed else "more than there are candidates"
    return {
        "asked": target,
        "best that can be proved": best,
        "confidence": confidence,
        "audits": n_audits,
        "audits needed": needed if n_audits else "not known before the first",
    }


def best_provable(cuts: Thresholds, confidence: float = 0.95) -> float:
    """Return the highest target, to a thousandth, that some set is proved to reach; 0 if none.

    It is found after the fact: to guarantee it, ask for it with audits that were not used here.
    """

    def fails(thousandths: int) -> bool:
        return not _rejected(cuts, thousandths / 1000, 1 - confidence).any()

    return bisect_left(range(1, 1000), True, key=fails) / 1000


def audits_needed(cuts: Thresholds, target: float, confidence: float = 0.95) -> int | None:
    """Return about how many audits would prove the target; None if no number is enough.

    Computed for the set with the best lower bound, as if its estimate were the truth: if that is
    above the target, judging all candidates proves it.
    """
    estimates = cuts.estimates
    level = (1 - confidence) * (1 - estimates.errors.spent) / len(STARTS)
    if not estimates.n_audits.any():
        return None
    best = int(np.argmax(estimates.called_right(1 - 2 * level)[0]))
    precision = float(estimates.precision[best])
    target = estimates.errors.called_right(target)
    if precision <= target:
        return None
    factor = 2.0 ** (np.arange(1, 160) / 8)
    n = estimates.n_effective[best] * factor
    low, _ = clopper_pearson(precision * n, n, 1 - 2 * level)
    enough = factor[low >= target].min(initial=np.inf)
    needed = float(f"{estimates.n_audits.max() * enough:.2g}")
    if estimates.errors.is_any and needed > cuts.n_kept[-1]:
        return None  # judging all candidates proves what is right only if auditors never err
    return int(min(needed, cuts.n_kept[-1]))


def _rejected(cuts: Thresholds, target: float, error: float) -> Mask:
    """Return ``bool[t]``: whether each set is proved to be above the target.

    The sets are tested in order; from each start, testing stops at the first that is not rejected.
    """
    n_audits = cuts.estimates.n_audits
    if not n_audits.any():
        return np.zeros(len(n_audits), bool)
    errors = cuts.estimates.errors
    level = error * (1 - errors.spent) / len(STARTS)
    p_value = cuts.estimates.p_values(target, level)
    fewest = MIN_OF_START * np.log(level) / np.log(errors.called_right(target))
    wanted = np.maximum(np.array(STARTS) * n_audits[-1], fewest)
    starts = np.minimum(np.searchsorted(n_audits, wanted), len(n_audits) - 1)
    added = np.bincount(starts, minlength=len(n_audits)) * level
    rejected = np.zeros(len(n_audits), bool)
    left = 0.0
    for i in range(len(n_audits)):
        left += added[i]
        rejected[i] = p_value[i] <= left
        # A rejected set hands its level on; one that is not rejected loses it.
        left = left if rejected[i] else 0.0
    return rejected & (cuts.n_kept > 0)
