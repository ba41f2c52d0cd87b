"""Facts of a run, as JSON and as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Facts: TypeAlias = Mapping[str, Any]
"""Facts that `curation.report.report.write_report` lists; any may be missing."""

MAP_NAMES = {
    "map_all": "all candidates",
    "map_random": "a random share",
    "map_selected": "the kept labels",
}
"""Facts with the mean average precision of three label sets, and names of the sets."""

MAX_PARTS = 3
"""Parts of the candidates that a sentence names."""

RATES_BY = {
    "given": ", as the settings state",
    "repeats": ", as {:,} pairs judged twice show; mistakes made both times are not seen",
    "known": ", as {:,} pairs whose truth is known show",
}
"""Origin of the error rates of auditors, in words."""


def rounded(value: Any) -> Any:
    """Return facts for JSON: floats with six significant digits, or None if not finite.

    Examples
    --------
    >>> rounded({"share": 1 / 3, "precision": float("nan"), "rows": (1, 2.5)})
    {'share': 0.333333, 'precision': None, 'rows': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Iterable):
        return [rounded(item) for item in value]
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float):
        return float(f"{plain:.6g}") if math.isfinite(plain) else None
    return plain


def headline(facts: Facts) -> list[str]:
    """Return the results of a run as sentences.

    Parameters
    ----------
    facts
        As for `curation.report.report.write_report`.

    Examples
    --------
    >>> for sentence in headline({"candidates": 12040, "kept": 4012, "n_audits": 0}):
    ...     print(sentence.replace("\N{NO-BREAK SPACE}", " "))
    Kept 4,012 of 12,040 candidate labels (33.3 %).
    No precision is stated: no pair was audited.
    Recall is not claimed: it cannot be estimated without judging every label of every image.
    """
    return [
        _kept(facts),
        *_sample(facts),
        *_floor(facts),
        *_precision(facts),
        *_proposals(facts),
        *_truth(facts),
        *_map(facts),
        _recall(facts),
    ]


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as percent, or a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def setting_percent(share: float) -> str:
    """Return a share that a person has set as percent, with the digits that were set.

    Examples
    --------
    >>> [setting_percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0.95, 0.999)]
    ['95 %', '99.9 %']
    """
    return f"{100 * share:.6g}\N{NO-BREAK SPACE}%"


def interval(facts: Facts) -> str | None:
    """Return the interval of the precision as text, or None if it is unknown."""
    low, high = facts.get("precision_low"), facts.get("precision_high")
    if low is None or high is None:
        return None
    confidence = facts.get("confidence")
    name = "interval" if confidence is None else f"{setting_percent(confidence)} interval"
    return f"{name} {100 * low:.1f} to {percent(high)}"


def _kept(facts: Facts) -> str:
    candidates, kept = facts.get("candidates"), facts.get("kept")
    if candidates is None:
        return "The run has no candidate labels yet."
    if candidates == 0:
        return "There is no data: no candidate label was found."
    if kept is None:
        return f"Found {candidates:,} candidate labels; none is selected yet."
    return f"Kept {kept:,} of {candidates:,} candidate labels ({percent(kept / candidates)})."


def _sample(facts: Facts) -> list[str]:
    limit = facts.get("limit")
    return [f"A sample: of each input only the first {limit:,} rows were read."] if limit else []


def _floor(facts: Facts) -> list[str]:
    floor, alone = facts.get("floor_held"), facts.get("n_by_floor")
    if not floor or alone is None:
        return []
    return [
        f"The {floor:,} most probable of each label are kept before others, "
        f"{alone:,} of them for no other reason."
    ]


def _proposals(facts: Facts) -> list[str]:
    """Return the number of pairs that only added sources name, and their own precision."""
    proposed = facts.get("proposals")
    if not proposed:
        return []
    sentence = f"Apart from these, {proposed['n']:,} labels are proposed, which only"
    sentence += f" {' and '.join(proposed['sources'])} names; "
    if proposed.get("kept") is None:
        return [f"{sentence}none of them is kept, as their precision was not measured."]
    measured = f"{percent(proposed['precision'])} ({interval(proposed)})"
    return [
        f"{sentence}{proposed['kept']:,} of them are kept, with a precision of {measured} by"
        f" {proposed['n_audits']:,} audited pairs of their own."
    ]


def _precision(facts: Facts) -> list[str]:
    if facts.get("precision") is None:
        why = "" if facts.get("n_audits") else ": no pair was audited"
        return [f"No precision is stated{why}."] if facts.get("kept") is not None else []
    basis = ""
    if facts.get("n_audits"):
        basis = f"By {facts['n_audits']:,} audited pairs, "
        if facts.get("n_audits_kept") is not None:
            basis += f"{facts['n_audits_kept']:,} of them kept, "
    within = interval(facts)
    in_brackets = f" ({within})" if within else ""
    precision = f"{percent(facts['precision'])}{in_brackets}"
    sentence = f"{basis}the precision of the kept labels is {precision}."
    return [
        sentence[0].upper() + sentence[1:],
        *_unknown(facts),
        *_guarantee(facts),
        *auditor_errors(facts),
        *composition(facts),
    ]


def _unknown(facts: Facts) -> list[str]:
    n_unknown = facts.get("n_unknown_kept")
    if not n_unknown:
        return []
    low, high = facts["precision_low_of_answered"], facts["precision_high_of_answered"]
    return [
        f"Of the pairs asked about {n_unknown:,} kept ones are unsure or skipped: the lower bound "
        "counts them as wrong and the upper one as right; without them the interval is "
        f"{100 * low:.1f} to {percent(high)}."
    ]


def auditor_errors(facts: Facts) -> list[str]:
    """Return a sentence on the errors of auditors that a precision allows for, if they may err.

    Examples
    --------
    >>> auditor_errors({"error_rates_by": "none", "n_error_pairs": 0})
    ['Verdicts are taken as the truth.']
    """
    basis, of_wrong = facts.get("error_rates_by"), facts.get("error_rate_of_wrong")
    if basis is None:
        return []
    n_pairs = facts.get("n_error_pairs", 0)
    if of_wrong is None:
        why = f": {n_pairs:,} pairs judged twice are too few to estimate how often auditors err"
        return [f"Verdicts are taken as the truth{why if n_pairs else ''}."]
    return [
        "The bounds of the precision hold if auditors call at most "
        f"{percent(of_wrong)} of wrong pairs right and {percent(facts['error_rate_of_right'])} of "
        f"right ones wrong{RATES_BY[basis].format(n_pairs)}."
    ]


def audit_sentences(audits: Facts) -> list[str]:
    """Return sentences on the verdicts, the auditors, and how far they agree.

    Examples
    --------
    >>> audits = {"verdicts": {"yes": 60, "no": 40}, "auditors": {"ada": 100}, "n_twice": 20}
    >>> for sentence in audit_sentences(audits | {"n_same": 19}):
    ...     print(sentence.replace("\N{NO-BREAK SPACE}", " "))
    60 yes, 40 no.
    By ada (100).
    Of 20 pairs that were judged twice, 95.0 % have the same verdict both times.
    """
    sentences = []
    if audits.get("verdicts"):
        sentences.append(f"{_by_number(audits['verdicts'], '{1:,} {0}')}.")
    if audits.get("auditors"):
        sentences.append(f"By {_by_number(audits['auditors'], '{0} ({1:,})')}.")
    if audits.get("n_twice"):
        same = percent(audits["n_same"] / audits["n_twice"])
        sentences.append(
            f"Of {audits['n_twice']:,} pairs that were judged twice, {same} have the same verdict"
            " both times."
        )
    if audits.get("n_by_several"):
        sentence = (
            f"Of {audits['n_by_several']:,} pairs with verdicts of several auditors,"
            f" {percent(audits.get('share_agreeing'))} of the comparisons agree"
        )
        kappa = audits.get("kappa")
        sentences.append(f"{sentence}." if kappa is None else f"{sentence} (kappa {kappa:.2f}).")
    if sentences and not (audits.get("n_twice") or audits.get("n_by_several")):
        sentences.append("No pair was judged twice, so it is not known how far auditors agree.")
    return sentences


def _by_number(numbers: Mapping[str, int], form: str) -> str:
    """Return names with numbers, the largest first."""
    most_first = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(form.format(*item) for item in most_first)


def composition(facts: Facts) -> list[str]:
    """Return sentences on the candidates that audits do not represent, if there are any.

    Examples
    --------
    >>> part = {"by": "label", "part": "dog", "of_candidates": 0.2, "of_audits": 0.01}
    >>> composition({"parts_that_differ": [part]})[0].replace("\N{NO-BREAK SPACE}", "")[-56:]
    'label dog (20.0% of the candidates, 1.0% of the audits).'
    """
    sentences = []
    rows, n = facts.get("parts_that_differ", ()), facts.get("n_represented")
    if rows:
        parts = "; ".join(
            f"{row['by']} {row['part']} ({percent(row['of_candidates'])} of the candidates, "
            f"{percent(row['of_audits'])} of the audits)"
            for row in rows[:MAX_PARTS]
        )
        more = f" and {len(rows) - MAX_PARTS:,} more parts" if len(rows) > MAX_PARTS else ""
        differ = "The audits are not like the candidates, so the precision may be another"
        sentences.append(f"{differ}: {parts}{more}.")
    if facts.get("kept_unseen"):
        sentences.append(
            f"Of the kept {percent(facts['kept_unseen'])} are in parts without any audit."
        )
    if n is not None:
        sentences.append(f"By `p_inclusion` the audits were drawn from about {n:,.0f} candidates.")
    return sentences


def _guarantee(facts: Facts) -> list[str]:
    held = facts.get("precision_held")
    if held is None:
        return []
    of_what = f"in each group by {facts['by']} " if facts.get("by") else ""
    if any(not group["n_kept"] for group in facts.get("groups", ())):
        of_what += "that keeps any "
    sure = facts.get("confidence")
    how = "" if sure is None else f", with {setting_percent(sure)} confidence"
    return [f"It was proved that {of_what}at least {setting_percent(held)} of them are right{how}."]


def _truth(facts: Facts) -> list[str]:
    truth = facts.get("true_precision")
    if truth is None:
        return []
    sentence = f"The truth is known here: the precision is {percent(truth)}"
    low, high = facts.get("precision_low"), facts.get("precision_high")
    if low is None or high is None:
        return [f"{sentence}."]
    return [f"{sentence}, {'inside' if low <= truth <= high else 'outside'} the interval."]


def _map(facts: Facts) -> list[str]:
    kept = facts.get("map_selected", facts.get("map"))
    if kept is None:
        return []
    others = [
        f"{percent(facts[key])} on {MAP_NAMES[key]}"
        for key in ("map_random", "map_all")
        if facts.get(key) is not None
    ]
    compared = f", against {' and '.join(others)}" if others else ""
    return [
        "A model trained on the kept labels reaches a mean average precision of "
        f"{percent(kept)} on held-out images{compared}."
    ]


def _recall(facts: Facts) -> str:
    text = "Recall is not claimed: "
    text += "it cannot be estimated without judging every label of every image."
    share, n_missed = facts.get("kept_share_of_right"), facts.get("pool_missed_low")
    if share is not None:
        text += f" By the audits, {percent(share)} of the right candidates are kept."
    if n_missed is not None and n_missed >= 1:
        text += (
            f" By the overlap of the sources, at least {int(n_missed):,} more right labels of these"
            " images are not candidates; there may be many times as many."
        )
    return text
