"""Names and values of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def banded(method: str, runs: Sequence[dict[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield the mean of each measure over runs, and for several its lowest and highest value.

    Examples
    --------
    >>> list(banded("knn", [{"accuracy": 0.5}]))
    [('knn_accuracy', 0.5)]
    >>> dict(banded("scratch", [{"map": 0.25}, {"map": 0.75}]))
    {'scratch_map': 0.5, 'scratch_map_low': 0.25, 'scratch_map_high': 0.75}
    """
    for name in runs[0]:
        values = [run[name] for run in runs]
        yield f"{method}_{name}", sum(values) / len(values)
        if len(values) > 1:
            yield f"{method}_{name}_low", min(values)
            yield f"{method}_{name}_high", max(values)


def sizes(
    names: Sequence[str], n_train: int, n_test: int, put_aside: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    """Yield how many classes and images a task has, and what was put aside for each reason.

    Examples
    --------
    >>> list(sizes(["cat", "dog"], 8, 2, {"image missing": 1}))
    [('n_classes', 2), ('n_train', 8), ('n_test', 2), ('n_image_missing', 1)]
    """
    yield "n_classes", len(names)
    yield "n_train", n_train
    yield "n_test", n_test
    for reason, n in sorted(put_aside.items()):
        yield f"n_{reason.replace(' ', '_')}", n
