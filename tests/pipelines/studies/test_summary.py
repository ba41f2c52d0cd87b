"""The summary claims what its bands allow, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.studies.cells import Cell
from pipelines.studies.results import Grid, Results, study_facts
from pipelines.studies.summary import sentences

GRID = Grid(("selected", "all"), (18, 34), (100, 200, 400, 800), (0, 1, 2))
SLOPES = {"selected": 0.05, "all": 0.02}


def results(
    noise: float, grid: Grid = GRID, by_set: dict[str, float] | None = None, seed: int = 0
) -> Results:
    """Return cells whose mAP rises by a slope with each doubling, equal for both depths."""
    slopes = SLOPES if by_set is None else by_set
    generator = np.random.default_rng(seed)
    return {
        cell: {
            "held-out": {
                "map": 0.2
                + slopes[cell.label_set] * np.log2(cell.n_images / 50)
                + generator.normal(0, noise)
            }
        }
        for cell in grid.cells()
    }


def summary(measured: Results, grid: Grid = GRID) -> str:
    facts: dict[str, Any] = study_facts(measured, grid, {"held-out": ("map",)})
    training = {"steps": 1500, "batch_size": 32}
    return "\n".join(sentences(facts | {"training": training}))


def test_the_trainings_come_first() -> None:
    assert summary(results(0.001)).startswith(
        "48 networks were trained: ResNet-18 and ResNet-34 on the selected labels and all "
        "candidates, with 4 numbers of images from 100 to 800 and 3 seeds. Each had 1,500 steps "
        "of 32 images, whatever the number of images."
    )


def test_a_clear_trend_and_a_clear_difference_are_reported_with_their_size() -> None:
    text = summary(results(0.001))
    assert "With ResNet-18 on the selected labels, mAP rises by 0.050 with each doubling" in text
    assert "(95 % band 0.0" in text
    assert (
        "With ResNet-34, a network trained on the selected labels beats one on all candidates in "
        "mAP at every size, by 0.0" in text
    )
    assert "On all candidates, ResNet-18 and ResNet-34 cannot be distinguished in mAP" in text
    assert "holds from 100 to 800 images, and nothing is claimed beyond" in text


def test_a_fall_is_reported_as_one() -> None:
    text = summary(results(0.001, by_set={"selected": -0.03, "all": 0.0}))
    assert "With ResNet-18 on the selected labels, mAP falls by 0.030 with each doubling" in text


def test_noise_is_not_reported_as_a_trend_or_a_difference() -> None:
    text = summary(results(0.1, by_set={"selected": 0.001, "all": 0.001}, seed=2))
    assert " rises by" not in text
    assert " falls by" not in text
    assert " beats " not in text
    assert "law" not in text
    assert text.count("may rise or fall") == 4
    assert text.count("cannot be distinguished in mAP with 3 seeds") == 4


def test_a_difference_at_some_sizes_is_reported_for_these_alone() -> None:
    flat = results(0.01, by_set={"selected": 0.0, "all": 0.0})
    lifted = {
        cell: {"held-out": {"map": value["held-out"]["map"] + 0.3 * (cell.n_images > 300)}}
        for cell, value in flat.items()
        if cell.label_set == "all"
    }
    text = summary({**flat, **lifted})
    assert (
        "a network trained on all candidates beats one on the selected labels in mAP at 400 and "
        "800 images, by 0.29" in text
    )
    assert (
        "With ResNet-18 on all candidates and ResNet-34 on all candidates, neither a logarithmic "
        "nor a power law holds: the means stray from both by more than the seeds explain." in text
    )
    assert "elsewhere they cannot be distinguished with 3 seeds" in text


def test_one_seed_claims_nothing() -> None:
    grid = Grid(("selected", "all"), (18,), (100, 200, 400), (7,))
    text = summary(results(0.001, grid), grid)
    assert "one seed has no band, so nothing is claimed" in text
    assert "cannot be distinguished in mAP with 1 seed" in text
    assert "A power law was not fitted: it needs 4 numbers of images, and there are 3." in text


@pytest.mark.parametrize("change", [0.0, 0.4])
def test_facts_do_not_depend_on_the_order_of_the_cells(change: float) -> None:
    measured = results(0.01 + change)
    turned: dict[Cell, Any] = dict(reversed(list(measured.items())))
    main = {"held-out": ("map",)}
    assert study_facts(measured, GRID, main) == study_facts(turned, GRID, main)
