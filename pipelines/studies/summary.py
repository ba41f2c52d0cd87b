"""What a study says, in plain words that claim no more than its bands allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.study.scaling_laws import MIN_SIZES

Facts = Mapping[str, Any]

MEASURES = {
    "map": "mAP",
    "accuracy": "accuracy",
    "miou": "mean IoU",
}
METHODS = {
    "knn": "of nearest neighbours",
    "linear": "of a linear probe",
    "frozen": "on frozen features",
    "finetune": "after fine-tuning",
    "scratch": "from scratch",
}
LAWS = {
    "log": "a power law, which bends, is no better than a logarithmic one",
    "power": "a power law, which bends, is better than a logarithmic one",
    "neither": "neither a logarithmic nor a power law holds: the means stray from both by more "
    "than the seeds explain",
    "untold": "the data do not tell a logarithmic law from a power law, which bends",
}
DOUBT = 0.05
"""The p-value of a law below which it is said not to hold."""

SETS = {
    "selected": "the selected labels",
    "all": "all candidates",
    "random": "a random share of the candidates",
}


def name_of_set(label_set: str) -> str:
    """Return what a label set is called.

    Examples
    --------
    >>> name_of_set("precision-0.9")
    'the labels kept at precision 0.9'
    """
    return SETS.get(label_set) or f"the labels kept at precision {label_set.partition('-')[2]}"


def name_of_measure(task: str, measure: str) -> str:
    """Return what a measure of a task is called.

    Examples
    --------
    >>> name_of_measure("held-out", "map"), name_of_measure("birds", "linear_accuracy")
    ('mAP', 'accuracy of a linear probe on birds')
    """
    method, _, kind = measure.rpartition("_")
    name = MEASURES[kind]
    return f"{name} {METHODS[method]} on {task}" if method else name


def sentences(facts: Facts) -> list[str]:
    """Return the summary of a study, one statement each.

    Parameters
    ----------
    facts
        As ``study.json`` holds them: those of `pipelines.studies.results.study_facts`, and
        ``training``.
    """
    return [
        _say_what(facts),
        *(_say_trend(line, len(facts["seeds"])) for line in facts["lines"]),
        *_say_laws(facts),
        *(_say_comparison(one, len(facts["seeds"])) for one in facts["comparisons"]),
        _say_limits(facts),
    ]


def _say_what(facts: Facts) -> str:
    sizes, training = facts["sizes"], facts["training"]
    n = len(facts["label_sets"]) * len(facts["depths"]) * len(sizes) * len(facts["seeds"])
    depths = _listed([f"ResNet-{depth}" for depth in facts["depths"]])
    sets = _listed([name_of_set(name) for name in facts["label_sets"]])
    return (
        f"{n} networks were trained: {depths} on {sets}, with {_sizes(sizes)} and "
        f"{_seeds(len(facts['seeds']))}. Each had {training['steps']:,} steps of "
        f"{training['batch_size']} images, whatever the number of images."
    )


def _say_trend(line: Facts, n_seeds: int) -> str:
    subject = f"With {_line(line)}, {name_of_measure(line['task'], line['measure'])}"
    middle, low, high = (line["doubling"][name] for name in ("estimate", "low", "high"))
    if low is None:
        return (
            f"{subject} changes by {_signed(middle)} with each doubling of the images; one seed "
            "has no band, so nothing is claimed."
        )
    basis = _seeds(n_seeds)
    if not _has_trend(line):
        return (
            f"{subject} may rise or fall: by {_signed(low)} to {_signed(high)} with each doubling "
            f"of the images (95 % band, {basis})."
        )
    verb = "rises" if low > 0 else "falls"
    near, far = sorted((abs(low), abs(high)))
    return (
        f"{subject} {verb} by {abs(middle):.3f} with each doubling of the images (95 % band "
        f"{near:.3f} to {far:.3f}, {basis})."
    )


def _say_laws(facts: Facts) -> Iterator[str]:
    """Say which law describes the lines that have a trend at all."""
    if len(facts["sizes"]) < MIN_SIZES:
        yield (
            f"A power law was not fitted: it needs {MIN_SIZES} numbers of images, and there are "
            f"{len(facts['sizes'])}."
        )
        return
    several = len({(line["task"], line["measure"]) for line in facts["lines"]}) > 1
    lines_of: dict[str, list[str]] = {}
    for line in filter(_has_trend, facts["lines"]):
        about = f" ({name_of_measure(line['task'], line['measure'])})" if several else ""
        lines_of.setdefault(_law(line), []).append(f"{_line(line)}{about}")
    for law, lines in lines_of.items():
        where = "Everywhere" if len(lines) == len(facts["lines"]) else f"With {_listed(lines)}"
        yield f"{where}, {LAWS[law]}."


def _has_trend(line: Facts) -> bool:
    low, high = line["doubling"]["low"], line["doubling"]["high"]
    return low is not None and not low <= 0 <= high


def _law(line: Facts) -> str:
    """Return which of `LAWS` is to be said of a line."""
    if all(law["p_value"] < DOUBT for law in line["laws"].values()):
        return "neither"
    return line["preferred"] or "untold"


def _say_comparison(one: Facts, n_seeds: int) -> str:
    first, second = one["first"], one["second"]
    if first["depth"] == second["depth"]:
        context = f"With ResNet-{first['depth']}, a network trained on "
        names = name_of_set(first["label_set"]), name_of_set(second["label_set"])
        verb = "beats one on"
    else:
        context = f"On {name_of_set(first['label_set'])}, "
        names = f"ResNet-{first['depth']}", f"ResNet-{second['depth']}"
        verb = "beats"
    measure = name_of_measure(one["task"], one["measure"])
    above = [at for at in one["above"] if at["low"] is not None and at["low"] > 0]
    below = [at for at in one["above"] if at["high"] is not None and at["high"] < 0]
    told = [
        f"{winner} {verb} {loser} in {measure} {_where(ats, one['above'])}, by {_range(ats)}"
        for winner, loser, ats in ((*names, above), (*names[::-1], below))
        if ats
    ]
    if not told:
        what = f"{names[0]} and {names[1]} cannot be told apart in {measure}"
        return f"{context}{what} with {_seeds(n_seeds)}."
    if len(above) + len(below) < len(one["above"]):
        told.append(f"elsewhere they cannot be told apart with {_seeds(n_seeds)}")
    return f"{context}{'; '.join(told)}."


def _say_limits(facts: Facts) -> str:
    low, high = facts["sizes"][0], facts["sizes"][-1]
    return (
        f"All of this holds from {low:,} to {high:,} images; nothing is said of more. A seed draws "
        "the images, their order and the first weights; what to measure on is the same for all, "
        "and its own chance is in no band."
    )


def _line(line: Facts) -> str:
    return f"ResNet-{line['depth']} on {name_of_set(line['label_set'])}"


def _signed(change: float) -> str:
    """Return a change with its sign, but for one that is 0 to three places."""
    return f"{change:+.3f}" if abs(change) >= 0.0005 else "0.000"


def _where(some: Sequence[Facts], every: Sequence[Facts]) -> str:
    if len(some) == len(every):
        return "at every size"
    return f"at {_listed([format(at['n_images'], ',') for at in some])} images"


def _range(ats: Sequence[Facts]) -> str:
    sizes = sorted(abs(at["estimate"]) for at in ats)
    low, high = f"{sizes[0]:.3f}", f"{sizes[-1]:.3f}"
    return low if low == high else f"{low} to {high}"


def _sizes(sizes: Sequence[int]) -> str:
    return f"{len(sizes)} numbers of images from {sizes[0]:,} to {sizes[-1]:,}"


def _seeds(n: int) -> str:
    return "1 seed" if n == 1 else f"{n} seeds"


def _listed(names: Sequence[str]) -> str:
    """Return names as a list in words.

    Examples
    --------
    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
