"""The conclusions of a study, in plain words that claim no more than its bands allow."""

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
    "neither preferred": "the data do not distinguish a logarithmic law from a power law, which "
    "bends",
}
DOUBT = 0.05
"""The p-value of a law below which it is reported not to hold."""

SETS = {
    "selected": "the selected labels",
    "all": "all candidates",
    "random": "a random share of the candidates",
}


def name_of_set(label_set: str) -> str:
    """Return the name of a label set in a sentence.

    Examples
    --------
    >>> name_of_set("precision-0.9")
    'the labels kept at precision 0.9'
    """
    return SETS.get(label_set) or f"the labels kept at precision {label_set.partition('-')[2]}"


def name_of_measure(task: str, measure: str) -> str:
    """Return the name of a measure of a task in a sentence.

    Examples
    --------
    >>> name_of_measure("held-out", "map"), name_of_measure("birds", "linear_accuracy")
    ('mAP', 'accuracy of a linear probe on birds')
    """
    method, _, kind = measure.rpartition("_")
    name = MEASURES[kind]
    return f"{name} {METHODS[method]} on {task}" if method else name


def mean_rows(facts: Facts) -> list[tuple[str, str, str, list[float]]]:
    """Return for each line its measure, labels and network, and the mean at each size."""
    return [
        (
            name_of_measure(line["task"], line["measure"]),
            name_of_set(line["label_set"]),
            f"ResNet-{line['depth']}",
            [point["estimate"] for point in line["points"]],
        )
        for line in facts["lines"]
    ]


def sentences(facts: Facts) -> list[str]:
    """Return the summary of a study, one statement each.

    Parameters
    ----------
    facts
        The content of ``study.json``: that of `pipelines.studies.results.study_facts`, with
        ``training`` and ``bad_images``.
    """
    return [
        _trainings(facts),
        *_bad_images(facts),
        *(_trend(line, len(facts["seeds"])) for line in facts["lines"]),
        *_laws(facts),
        *(_comparison(lines, len(facts["seeds"])) for lines in facts["comparisons"]),
        _limits(facts),
    ]


def _trainings(facts: Facts) -> str:
    sizes, training = facts["sizes"], facts["training"]
    n = len(facts["label_sets"]) * len(facts["depths"]) * len(sizes) * len(facts["seeds"])
    depths = _listed([f"ResNet-{depth}" for depth in facts["depths"]])
    sets = _listed([name_of_set(name) for name in facts["label_sets"]])
    return (
        f"{n} networks were trained: {depths} on {sets}, with {_sizes(sizes)} and "
        f"{_seeds(len(facts['seeds']))}. Each had {training['steps']:,} steps of "
        f"{training['batch_size']} images, whatever the number of images."
    )


def _bad_images(facts: Facts) -> Iterator[str]:
    """Yield for each label set the images that its shards lack, in studies that count them."""
    for name, by_reason in facts.get("bad_images", {}).items():
        if by_reason:
            reasons = _listed([f"{n:,} {reason}" for reason, n in by_reason.items()])
            shards = f"The shards of {name_of_set(name)}"
            yield f"{shards} lack images that could not be used: {reasons}."


def _trend(line: Facts, n_seeds: int) -> str:
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


def _laws(facts: Facts) -> Iterator[str]:
    """Yield the law that describes each line that has a trend at all."""
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
    """Return the key of `LAWS` that describes a line."""
    if all(law["p_value"] < DOUBT for law in line["laws"].values()):
        return "neither"
    return line["preferred"] or "neither preferred"


def _comparison(lines: Facts, n_seeds: int) -> str:
    """Return the sizes at which one of two lines is above the other, beyond their bands."""
    first, second = lines["first"], lines["second"]
    if first["depth"] == second["depth"]:
        context = f"With ResNet-{first['depth']}, a network trained on "
        names = name_of_set(first["label_set"]), name_of_set(second["label_set"])
        verb = "beats one on"
    else:
        context = f"On {name_of_set(first['label_set'])}, "
        names = f"ResNet-{first['depth']}", f"ResNet-{second['depth']}"
        verb = "beats"
    measure = name_of_measure(lines["task"], lines["measure"])
    every = lines["above"]
    above = [at for at in every if at["low"] is not None and at["low"] > 0]
    below = [at for at in every if at["high"] is not None and at["high"] < 0]
    if not above and not below:
        same = f"{names[0]} and {names[1]} cannot be distinguished in {measure}"
        return f"{context}{same} with {_seeds(n_seeds)}."
    parts = [
        f"{winner} {verb} {loser} in {measure} {_at_sizes(some, every)}, by {_range(some)}"
        for winner, loser, some in ((*names, above), (*names[::-1], below))
        if some
    ]
    if len(above) + len(below) < len(every):
        parts.append(f"elsewhere they cannot be distinguished with {_seeds(n_seeds)}")
    return f"{context}{'; '.join(parts)}."


def _limits(facts: Facts) -> str:
    low, high = facts["sizes"][0], facts["sizes"][-1]
    return (
        f"All of this holds from {low:,} to {high:,} images, and nothing is claimed beyond. A seed "
        "draws the images, their order and the first weights; all networks are measured on the "
        "same images, whose own chance is in no band."
    )


def _line(line: Facts) -> str:
    return f"ResNet-{line['depth']} on {name_of_set(line['label_set'])}"


def _signed(change: float) -> str:
    """Return a change with its sign; one that is 0 to three places has none."""
    return f"{change:+.3f}" if abs(change) >= 0.0005 else "0.000"


def _at_sizes(some: Sequence[Facts], every: Sequence[Facts]) -> str:
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
