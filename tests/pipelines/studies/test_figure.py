from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from pipelines.studies.figure import draw_study, study_svg
from pipelines.studies.results import Grid, Results, study_facts


def measured(grid: Grid) -> Results:
    return {
        cell: {
            "held-out": {"map": 0.1 + cell.n_images / 2000 + cell.depth / 1000 + cell.seed / 90},
            "<birds>": {"linear_accuracy": 0.5},
        }
        for cell in grid.cells()
    }


@pytest.mark.parametrize(
    ("depths", "seeds", "named"),
    [((18, 34), (0, 1), "ResNet-34"), ((18,), (0,), "the labels kept at precision 0.9")],
)
def test_lines_are_named_in_the_picture_and_the_bytes_are_the_same(
    tmp_path: Path, depths: tuple[int, ...], seeds: tuple[int, ...], named: str
) -> None:
    grid = Grid(("all", "precision-0.9"), depths, (100, 400), seeds)
    main = {"held-out": ("map",), "<birds>": ("linear_accuracy",)}
    facts = study_facts(measured(grid), grid, main)
    draw_study(facts, tmp_path)
    files = [tmp_path / "study.png", tmp_path / "study.svg"]
    first = [file.read_bytes() for file in files]
    draw_study(facts, tmp_path)
    assert [file.read_bytes() for file in files] == first
    texts = "".join(ElementTree.fromstring(first[1]).itertext())
    for text in (named, "all candidates", "mAP", "accuracy of a linear probe on <birds>", "400"):
        assert text in texts
    with Image.open(files[0]) as picture:
        assert picture.width > 800


def test_the_picture_of_a_page_has_its_colours() -> None:
    grid = Grid(("all",), (18,), (100, 400), (0, 1))
    svg = study_svg(study_facts(measured(grid), grid, {"held-out": ("map",)}))
    assert svg.startswith("<svg role")
    assert "var(--ink" in svg
