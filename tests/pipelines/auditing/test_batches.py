"""Batches of pairs that are drawn for the proof of a precision."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from curation.intervals.confidence_sequence import confidence_of_look
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import Stage, current, open_stage
from labeling.errors import InputError, IntegrityError, QualityError
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.looks import begin_anytime, confidence_now
from pipelines.auditing.pool import pool_of
from pipelines.auditing.sample import answer_by_truth, draw_audits, import_answers
from pipelines.auditing.strata import cut_cells, strata_of
from pipelines.run.config import read_config, with_overrides
from pipelines.selecting.select import select
from tests.pipelines.auditing.test_auditing import fill_in, without_truth


def test_a_person_proves_a_precision_in_batches(
    shop: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_overrides(without_truth(shop), ["audit.n=400", "select.precision=0.8"])
    for n_asked, n_judged, line in (
        (150, 0, "these 150 of 400 show where the threshold will fall"),
        (150, 150, "shares of which 0.8 may be proved"),
        (100, 300, "shares of which 0.8 may be proved"),
    ):
        sheet, n = draw_audits(config, labelled)
        assert n == n_asked
        assert line in capsys.readouterr().err
        if n_judged:
            _assert_strata_are_known(labelled)  # also of the judgements before the new ones
        fill_in(sheet, shop, labelled)
        audits = import_answers(labelled, sheet)
        assert audits.counts["yes"] + audits.counts["no"] == n_judged + n_asked
    with pytest.raises(InputError, match=r"-o audit\.n=800 --precision 0\.8"):
        draw_audits(config, labelled)
    _assert_strata_are_known(labelled)
    facts = select(config, labelled).facts
    assert facts["precision"] > 0.8
    by_truth = with_overrides(read_config(shop), ["audit.n=400", "select.precision=0.8"])
    assert _by_pair(answer_by_truth(by_truth, labelled)).equals(_by_pair(audits))


def test_answers_of_earlier_batches_keep_their_probabilities_when_they_are_imported_again(
    shop: Path, labelled: Path
) -> None:
    config = with_overrides(without_truth(shop), ["audit.n=300", "select.precision=0.8"])
    for n in (150, 300):
        sheet, _ = draw_audits(with_overrides(config, [f"audit.n={n}"]), labelled)
        fill_in(sheet, shop, labelled)
        audits = import_answers(labelled, sheet)
    before = audits.table(AUDITS)
    draw_audits(with_overrides(config, ["audit.n=400"]), labelled)
    again = import_answers(labelled, sheet).table(AUDITS)  # the next pairs have no verdict yet
    _assert_strata_are_known(labelled)
    assert find_pairs(again, before).tolist() == list(range(300))
    ratio = again["p_inclusion"].to_numpy() / before["p_inclusion"].to_numpy()
    # The next draw divides strata of few pairs; those of the first draw would be off by up to 3.
    assert 0.5 < ratio.min() <= ratio.max() < 2
    n_candidates = open_stage(labelled, "candidates").counts["candidates"]
    for audits_of_time in (before, again):
        p = audits_of_time["p_inclusion"].to_numpy()
        assert np.sum(1 / p) == pytest.approx(n_candidates, rel=0.1)


def _by_pair(audits: Stage) -> pa.Table:
    order = [("image_id", "ascending"), ("label_id", "ascending")]
    return audits.table(AUDITS).drop(["auditor", "seq"]).sort_by(order)


def _assert_strata_are_known(run_dir: Path) -> None:
    candidates, audits = (open_stage(run_dir, name) for name in ("candidates", "audits"))
    judged = audits.table(AUDITS)
    row = find_pairs(judged, pool_of(run_dir, candidates).pairs)
    stratum = strata_of(run_dir, candidates, judged, row)
    names = pd.Series(judged["stratum"].to_pylist()).str.partition("-")[2]
    assert stratum is not None
    assert stratum[row].tolist() == names.astype(int).tolist()


def test_a_truth_answers_all_batches_at_once(shop: Path, labelled: Path) -> None:
    config = with_overrides(read_config(shop), ["audit.n=350", "select.precision=0.8"])
    audits = answer_by_truth(config, labelled)
    assert sum(audits.counts.values()) == 350
    cells = current(labelled, "audits-cells")
    assert cells is not None
    assert cells.counts["asked"] == 300
    share = with_overrides(config, ["select.precision=", "audit.n=400"])
    assert sum(answer_by_truth(share, labelled).counts.values()) == 400
    rows = open_stage(labelled, "audits").table(AUDITS)
    p = rows["p_inclusion"].to_numpy()
    n_candidates = open_stage(labelled, "candidates").counts["candidates"]
    assert np.sum(1 / p) == pytest.approx(n_candidates, rel=0.1)


def test_every_selection_of_a_run_that_may_stop_anytime_is_a_look(
    shop: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_overrides(read_config(shop), ["audit.n=100"])
    begin_anytime(labelled, has_audits=False)
    begin_anytime(labelled, has_audits=True)  # it has begun already
    answer_by_truth(config, labelled)
    first = select(config, labelled)
    assert "at all looks" in capsys.readouterr().err
    again = select(with_overrides(config, ["select.keep=0.3"]), labelled)
    answer_by_truth(with_overrides(config, ["audit.n=140"]), labelled)
    second = select(config, labelled)
    used = [stage.manifest["config"]["confidence_by_itself"] for stage in (first, again, second)]
    assert used == [confidence_of_look(look, 0.95) for look in (1, 1, 2)]
    width = first.facts["precision_high"] - first.facts["precision_low"]
    (labelled / "audit-anytime.json").unlink()
    answer_by_truth(config, labelled)
    alone = select(config, labelled)
    assert alone.manifest["config"]["confidence_by_itself"] == 0.95
    assert alone.facts["precision_high"] - alone.facts["precision_low"] < width
    with pytest.raises(InputError, match="may have been looked at already"):
        begin_anytime(labelled, has_audits=True)


def test_a_look_counts_though_nothing_can_be_proved_and_its_record_is_sealed(
    shop: Path, labelled: Path
) -> None:
    config = with_overrides(read_config(shop), ["audit.n=80", "select.precision=0.99"])
    begin_anytime(labelled, has_audits=False)
    audits = answer_by_truth(config, labelled)
    with pytest.raises(QualityError, match="cannot be proved"):
        select(config, labelled)
    assert confidence_now(labelled, audits, 0.95) == confidence_of_look(1, 0.95)
    path = labelled / "audit-anytime.json"
    path.write_text(path.read_text().replace(": 1", ": 0"))
    with pytest.raises(IntegrityError, match="looks at the audits cannot be read"):
        select(config, labelled)


def test_the_best_of_each_label_are_drawn_like_others_that_may_be_kept(
    shop: Path, labelled: Path
) -> None:
    config = with_overrides(read_config(shop), ["audit.n=100", "select.keep=0.2"])
    answer_by_truth(config, labelled)
    candidates = open_stage(labelled, "candidates")
    select(config, labelled)
    judged = open_stage(labelled, "audits").table(AUDITS)
    pool, bands = pool_of(labelled, candidates), []
    for floor in (20, 0):
        of_floor = with_overrides(config, [f"select.floor={floor}", "audit.n=200"])
        cells = cut_cells(of_floor, labelled, candidates, pool, judged)
        assert cells is not None
        bands.append(cells.band)
        shutil.rmtree(labelled / "audits-cells")
    moved_up = pa.array(bands[0] > bands[1])
    rows = open_stage(labelled, "scored").table(SCORED).filter(moved_up)
    assert 0 < len(rows) < len(pool.pairs) / 4
    assert min(rows["p_correct"].to_pylist()) >= 0.2
