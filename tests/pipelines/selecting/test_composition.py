"""Audits that were not drawn from the candidates of the run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from curation.runs.stage import open_stage
from labeling.errors import InputError, QualityError
from labeling.schemas import CANDIDATES
from pipelines.auditing.sample import import_answers
from pipelines.delivery.report import report
from pipelines.delivery.truth import read_truth
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.select import select


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop)


def import_random(shop: Path, run_dir: Path, labels: set[str], path: Path) -> None:
    """Import a random sample of the candidates with some labels, as if these were all."""
    candidates = open_stage(run_dir, "candidates")
    pairs = candidates.table(CANDIDATES, ["image_id", "label_id"]).to_pandas()
    truth = read_truth(shop.parent / "truth.csv", taxonomy_of(candidates)).to_pandas()
    right = pairs.merge(truth, "left", ["image_id", "label_id"], indicator=True)["_merge"] == "both"
    pairs["verdict"] = np.where(right, "yes", "no")
    drawn_from = pairs[pairs["label_id"].isin(labels)]
    rows = drawn_from.sample(150, random_state=0).assign(p_inclusion=150 / len(drawn_from))
    rows.to_csv(path, index=False)
    import_answers(run_dir, path)


def frequent_labels(run_dir: Path) -> list[str]:
    labels = open_stage(run_dir, "candidates").table(CANDIDATES, ["label_id"])["label_id"]
    return [label for label, _ in Counter(labels.to_pylist()).most_common()]


def test_audits_that_winnow_draws_represent_the_candidates(selected: Path) -> None:
    facts = open_stage(selected, "selected").facts
    assert not {"parts_that_differ", "kept_unseen", "n_represented"} & set(facts)


def test_audits_without_a_frequent_label_are_reported(
    config: Config,
    shop: Path,
    selected: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, *others = frequent_labels(selected)
    import_random(shop, selected, set(others), tmp_path / "last_month.csv")
    stage = select(with_overrides(config, ["select.keep=0.9"]), selected)
    printed = capsys.readouterr().err
    name = taxonomy_of(open_stage(selected, "candidates")).display_name
    code = taxonomy_of(open_stage(selected, "candidates")).code(first)
    assert "The audits are not like the candidates" in printed
    assert f"label {name(code)} (" in printed
    assert "are in parts without any audit" in printed
    assert "By `p_inclusion` the audits were drawn from about" in printed
    assert 0 < stage.facts["kept_unseen"] < 0.5
    assert "are not like the candidates" in report(config, selected).read_text("utf-8")


def test_a_selection_that_is_mostly_of_labels_without_audits_is_refused(
    config: Config, shop: Path, selected: Path, tmp_path: Path
) -> None:
    import_random(shop, selected, set(frequent_labels(selected)[1:3]), tmp_path / "few.csv")
    with pytest.raises(QualityError, match="most of the kept"):
        select(with_overrides(config, ["select.keep=0.9"]), selected)
    with pytest.raises(InputError, match="made from other audits"):
        open_stage(selected, "selected")
