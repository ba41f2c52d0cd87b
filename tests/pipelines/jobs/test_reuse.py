"""Signals are reused only while the images that tables name, and the limits of losses, agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.runs.stage import open_stage
from labeling.errors import QualityError
from labeling.schemas import IMAGES
from pipelines.api.candidates import label as label_run
from pipelines.api.candidates import status
from pipelines.jobs.label import label
from pipelines.run.config import read_config, with_overrides


def _sizes(run_dir: Path) -> dict[str, int]:
    images = open_stage(run_dir, "signals").table(IMAGES)
    return dict(zip(images["location"].to_pylist(), images["n_bytes"].to_pylist(), strict=True))


def test_an_image_of_another_size_makes_the_signals_again(
    shop: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, image = read_config(shop), shop.parent / "images" / "0.jpg"
    label(config, labelled)
    assert "signals    unchanged" in capsys.readouterr().err
    image.write_bytes(image.read_bytes() + b"more")
    label(config, labelled)
    assert "signals    unchanged" not in capsys.readouterr().err
    assert _sizes(labelled)["images/0.jpg"] == image.stat().st_size
    label(config, labelled)
    assert "signals    unchanged" in capsys.readouterr().err


def test_an_image_that_was_missing_and_is_back_makes_the_signals_again(
    shop: Path, tmp_path: Path
) -> None:
    config, image = read_config(shop), shop.parent / "images" / "0.jpg"
    content = image.read_bytes()
    image.unlink()
    run = label_run(config, out=tmp_path / "run").dir.parents[1]
    assert "images/0.jpg" not in _sizes(run)
    assert "stale" not in str(status(run))
    image.write_bytes(content)
    assert "stale: signals: images have changed: images/0.jpg; " in str(status(run))
    label(config, run)
    assert _sizes(run)["images/0.jpg"] == len(content)
    assert {stage.state for stage in status(run).stages} == {"current"}


def test_a_lower_limit_of_rejects_refuses_signals_that_are_reused(
    shop: Path, tmp_path: Path
) -> None:
    (shop.parent / "images" / "0.jpg").unlink()
    config = read_config(shop)
    run = label_run(config, out=tmp_path / "run").dir.parents[1]
    strict = with_overrides(config, ["label.max_reject_share=0.0"])
    with pytest.raises(QualityError, match=r"more than label\.max_reject_share"):
        label(strict, run)
    label(config, run)
