from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import current, open_stage
from labeling.errors import InputError, IntegrityError
from labeling.schemas import AUDITS, INTERVALS, SCORED, SELECTED
from pipelines.auditing.looks import Look, read_looks, write_looks
from pipelines.auditing.sample import answer_by_truth, draw_audits, import_answers
from pipelines.auditing.until import audit_until
from pipelines.delivery.truth import read_truth
from pipelines.jobs.label import label
from pipelines.run.config import Config, read_config, with_overrides
from pipelines.run.stages import taxonomy_of
from pipelines.selecting.select import select


def without_truth(shop: Path) -> Config:
    config = read_config(shop)
    return config.model_copy(update={"audit": config.audit.model_copy(update={"truth": None})})


def fill_in(sheet: Path, shop: Path, run_dir: Path) -> pd.DataFrame:
    truth = read_truth(shop.parent / "truth.csv", taxonomy_of(open_stage(run_dir, "candidates")))
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    pairs = pa.table({n: rows[n].tolist() for n in ("image_id", "label_id")})
    rows["verdict"] = np.where(find_pairs(pairs, truth) >= 0, "yes", "No ")
    rows.to_csv(sheet, index=False)
    return rows


def test_a_share_is_kept_with_its_precision(shop: Path, selected: Path) -> None:
    stage = open_stage(selected, "selected")
    rows = stage.table(SELECTED)
    kept = np.asarray(rows["kept"])
    assert kept.sum() == stage.counts["out"] == round(len(rows) / 3)
    truth = read_truth(shop.parent / "truth.csv", taxonomy_of(open_stage(selected, "candidates")))
    right = find_pairs(rows, truth) >= 0
    facts = stage.facts
    assert facts["precision_low"] <= facts["precision"] <= facts["precision_high"]
    assert right[kept].mean() > right.mean() + 0.2
    assert facts["precision_low"] <= right[kept].mean() <= facts["precision_high"]
    assert facts["kept_share_of_right"] == pytest.approx(right[kept].sum() / right.sum(), abs=0.1)
    assert 0 < facts["pool_missed_low"] <= len(truth) - right.sum()
    assert right.sum() / len(truth) <= facts["pool_recall_at_most"] < 1


def test_selecting_again_with_another_share_keeps_the_scores(shop: Path, selected: Path) -> None:
    scored = open_stage(selected, "scored")
    stage = select(with_overrides(read_config(shop), ["select.keep=0.1"]), selected)
    assert stage.counts["out"] == round(0.1 * stage.counts["in"])
    assert open_stage(selected, "scored").manifest == scored.manifest
    assert len(scored.table(SCORED)) == stage.counts["in"]


def test_bounds_of_probabilities_are_written_on_demand(shop: Path, labelled: Path) -> None:
    select(with_overrides(read_config(shop), ["select.venn_abers=true"]), labelled)
    scored = open_stage(labelled, "scored")
    bounds = scored.table(INTERVALS)
    assert bounds["label_id"].equals(scored.table(SCORED)["label_id"])
    assert pc.all(pc.less_equal(bounds["p_low"], bounds["p_high"])).as_py()
    facts = scored.facts
    assert (facts["folds_boosted"], list(facts["log_loss"])) == (0, ["logistic"])


def test_without_audits_no_precision_is_stated(shop: Path, labelled: Path) -> None:
    with pytest.raises(InputError, match="precision cannot be shown") as caught:
        select(without_truth(shop), labelled)
    assert "winnow audit" in caught.value.help


def test_a_person_can_audit_by_sheet(shop: Path, labelled: Path) -> None:
    config = without_truth(shop)
    sheet, n_pairs = draw_audits(config, labelled)
    rows = fill_in(sheet, shop, labelled)
    assert len(rows) == n_pairs == config.audit.n
    assert (rows["image"].map(lambda name: (shop.parent / name).is_file())).all()
    stage = import_answers(labelled, sheet)
    by_hand = stage.table(AUDITS)
    by_truth = answer_by_truth(read_config(shop), labelled).table(AUDITS)
    for column in ("image_id", "label_id", "verdict", "stratum"):
        assert by_hand[column].to_pylist() == by_truth[column].to_pylist()
    assert np.allclose(by_hand["p_inclusion"].to_numpy(), by_truth["p_inclusion"].to_numpy())


def test_a_sheet_answered_in_part_still_counts(shop: Path, labelled: Path) -> None:
    config = without_truth(shop)
    sheet, _ = draw_audits(config, labelled)
    rows = fill_in(sheet, shop, labelled)
    rows.loc[100:, "verdict"] = ""
    rows.to_csv(sheet, index=False)
    audits = import_answers(labelled, sheet).table(AUDITS)
    assert len(audits) == 100, "a smaller draw, from which nothing was left out"
    n_candidates = open_stage(labelled, "candidates").counts["candidates"]
    assert (1 / audits["p_inclusion"].to_numpy()).sum() == pytest.approx(n_candidates)


def answered(way: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a sheet as a person left it who did not judge every pair in its order."""
    if way == "most wrong ones left blank":
        wrong = np.flatnonzero(rows["verdict"] == "No ")
        return rows.assign(verdict=rows["verdict"].where(~rows.index.isin(wrong[::4]), ""))
    if way == "from the bottom":
        return rows.assign(verdict=rows["verdict"].where(rows.index >= 50, ""))
    if way == "rows deleted":
        return rows.drop(index=range(0, 100, 2))
    rows = rows.sort_values("label_id", ignore_index=True)
    return rows.assign(verdict=rows["verdict"].where(rows.index < 100, ""))


@pytest.mark.parametrize(
    "way", ["most wrong ones left blank", "from the bottom", "rows deleted", "by label"]
)
def test_pairs_that_a_person_left_out_are_counted_and_asked_again(
    shop: Path, labelled: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    config = without_truth(shop)
    sheet, _ = draw_audits(config, labelled)
    rows = fill_in(sheet, shop, labelled)
    left = answered(way, rows)
    left.to_csv(sheet, index=False)
    stage = import_answers(labelled, sheet)
    asked = rows.merge(left[left["verdict"] != ""], "left", ["image_id", "label_id"])
    is_answered = asked["verdict_y"].notna().to_numpy()
    n_skipped = int((~is_answered[: np.flatnonzero(is_answered)[-1]]).sum())
    assert stage.counts["skipped"] == n_skipped > 0
    assert f"{n_skipped:,} pairs before the last answer are skipped" in capsys.readouterr().err
    _, n_asked = draw_audits(config, labelled)
    again = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    assert n_asked == (again["verdict"] == "").sum() == len(rows) - is_answered.sum()
    assert import_answers(labelled, sheet).counts["skipped"] == n_skipped, "no new answer yet"
    fill_in(sheet, shop, labelled)
    assert import_answers(labelled, sheet).counts["skipped"] == 0


def test_pairs_that_a_person_left_out_widen_the_interval(
    shop: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = without_truth(shop)
    sheet, _ = draw_audits(config, labelled)
    left = answered("from the bottom", fill_in(sheet, shop, labelled))
    left.to_csv(sheet, index=False)
    import_answers(labelled, sheet)
    facts = select(config, labelled).facts
    assert facts["n_audits"] == 100
    assert facts["n_unknown_kept"] > 0
    assert facts["precision_low"] < facts["precision_low_of_answered"]
    assert "without them" in capsys.readouterr().err


def test_a_sheet_is_never_written_over(shop: Path, labelled: Path) -> None:
    config = without_truth(shop)
    sheet, _ = draw_audits(config, labelled)
    before = sheet.read_bytes()
    with pytest.raises(InputError, match="may hold answers"):
        draw_audits(config, labelled)
    assert sheet.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{image},{label},perhaps", r"answers\.csv:2"),
        ("{image},shoe,yes", "not a candidate"),
        ("xx,shirt,yes", "not a candidate"),
    ],
)
def test_wrong_answers_are_refused_with_their_line(
    shop: Path, labelled: Path, tmp_path: Path, line: str, expected: str
) -> None:
    first = open_stage(labelled, "candidates").paths(".parquet", "candidates-")[0]
    row = pd.read_parquet(first, columns=["image_id", "label_id"]).iloc[0]
    path = tmp_path / "answers.csv"
    text = line.format(image=row["image_id"], label=row["label_id"])
    path.write_text(f"image_id,label_id,verdict\n{text}\n")
    with pytest.raises(InputError, match=expected):
        import_answers(labelled, path)


def test_audits_of_other_candidates_are_not_used(shop: Path, labelled: Path) -> None:
    config = without_truth(shop)
    sheet, _ = draw_audits(config, labelled)
    fill_in(sheet, shop, labelled)
    import_answers(labelled, sheet)
    path = shop.parent / "products.csv"
    path.write_text(path.read_text() + "images/0.jpg,a yellow thing,https://x.example/\n")
    label(config, labelled)
    with pytest.raises(InputError, match="made from other candidates"):
        select(config, labelled)


def test_a_second_sheet_keeps_the_verdicts_and_asks_for_more(shop: Path, labelled: Path) -> None:
    config = with_overrides(without_truth(shop), ["audit.n=100"])
    sheet, _ = draw_audits(config, labelled)
    first = fill_in(sheet, shop, labelled)
    import_answers(labelled, sheet)
    with pytest.raises(InputError, match="100 pairs have been judged, and audit.n asks for 100"):
        draw_audits(config, labelled)
    sheet, n_asked = draw_audits(with_overrides(config, ["audit.n=150"]), labelled)
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    assert n_asked == 50 == (rows["verdict"] == "").sum()
    assert rows["image_id"].tolist()[:100] == first["image_id"].tolist()
    assert rows["auditor"].tolist()[:100] == ["audit-sheet"] * 100
    fill_in(sheet, shop, labelled)
    audits = import_answers(labelled, sheet).table(AUDITS)
    by_truth = with_overrides(read_config(shop), ["audit.n=150"])
    assert (
        answer_by_truth(by_truth, labelled)
        .table(AUDITS)
        .drop("auditor")
        .equals(audits.drop("auditor"))
    )


def test_a_scored_run_is_audited_where_the_threshold_falls(shop: Path, labelled: Path) -> None:
    config = with_overrides(read_config(shop), ["audit.n=100"])
    first = answer_by_truth(config, labelled).table(AUDITS)
    before = select(config, labelled).facts
    more = with_overrides(without_truth(shop), ["audit.n=160"])
    sheet, n_asked = draw_audits(more, labelled)
    fill_in(sheet, shop, labelled)
    audits = import_answers(labelled, sheet).table(AUDITS)
    assert n_asked == 60
    assert np.all(find_pairs(first, audits) >= 0)
    assert {name.split("-")[0] for name in audits["stratum"].to_pylist()} == {"cell"}
    facts = select(config, labelled).facts
    assert facts["n_audits_kept"] - before["n_audits_kept"] >= 30
    assert facts["precision_low"] > before["precision_low"]


def test_pairs_and_not_judgements_decide_whether_to_draw_again(shop: Path, labelled: Path) -> None:
    config = with_overrides(without_truth(shop), ["audit.n=100"])
    sheet, _ = draw_audits(config, labelled)
    rows = fill_in(sheet, shop, labelled)
    pd.concat([rows, rows.assign(auditor="ben")]).to_csv(sheet, index=False)
    assert len(import_answers(labelled, sheet).table(AUDITS)) == 200
    select(config, labelled)
    assert current(labelled, "audits-cells") is None
    _, n_asked = draw_audits(with_overrides(config, ["audit.n=160"]), labelled)
    assert n_asked == 60
    assert current(labelled, "audits-cells") is not None


def test_audits_are_drawn_until_the_interval_is_narrow(shop: Path, labelled: Path) -> None:
    config = with_overrides(read_config(shop), ["audit.n=120"])
    look, n_pairs = audit_until(config, labelled, 0.06)
    assert look is not None
    assert (look.width <= 0.06, n_pairs) == (True, 0)
    looks = read_looks(labelled)
    assert looks[-1] == look
    assert len(looks) > 1
    assert all(drawn_look.width > 0.06 for drawn_look in looks[:-1])
    assert [drawn_look.number for drawn_look in looks] == list(range(1, len(looks) + 1))
    assert audit_until(config, labelled, 0.06) == (look, 0)
    assert read_looks(labelled) == looks
    assert audit_until(config, labelled, 0.5) == (look, 0), "no judgement is given up"
    facts = select(config, labelled).facts
    assert (facts["precision_low"], facts["precision_high"]) == (look.low, look.high)
    assert facts["confidence"] == 0.95


def test_a_person_audits_in_batches(shop: Path, labelled: Path) -> None:
    config = with_overrides(without_truth(shop), ["audit.n=120"])
    sheet = labelled / "audit-sheet.csv"
    assert audit_until(config, labelled, 0.06) == (None, 120)
    n_judged, n_pairs = 0, 120
    while n_pairs:
        fill_in(sheet, shop, labelled)
        import_answers(labelled, sheet)
        n_judged += n_pairs
        look, n_pairs = audit_until(config, labelled, 0.06)
        assert look is not None
        assert look.n_audits == n_judged
    assert look.width <= 0.06


def test_an_audit_ends_when_every_pair_is_answered_though_one_is_unsure(
    shop: Path, labelled: Path
) -> None:
    n = open_stage(labelled, "candidates").counts["candidates"]
    config = with_overrides(without_truth(shop), [f"audit.n={n}"])
    sheet, n_asked = draw_audits(config, labelled)
    assert n_asked == n
    rows = fill_in(sheet, shop, labelled)
    rows.assign(verdict=rows["verdict"].where(rows.index > 0, "unsure")).to_csv(sheet, index=False)
    import_answers(labelled, sheet)
    look, n_pairs = audit_until(config, labelled, 1e-6)
    assert look is not None
    assert (look.n_audits, n_pairs) == (n - 1, 0)


def test_looks_come_back_also_of_an_earlier_version_and_not_when_damaged(tmp_path: Path) -> None:
    looks = [Look("a", 1, 20, 0.9, 0.8, 0.95, 40), Look("b", 2, 40, 0.91, 0.85, 0.95, 80)]
    path = tmp_path / "audit-looks.json"
    write_looks(tmp_path, looks)
    assert read_looks(tmp_path) == looks
    path.write_text(path.read_text().replace("0.85", "0.75"))
    with pytest.raises(IntegrityError, match="looks"):
        read_looks(tmp_path)
    path.write_text(json.dumps([asdict(look) for look in looks]))
    assert read_looks(tmp_path) == looks


def test_a_damaged_list_of_looks_is_refused(shop: Path, labelled: Path) -> None:
    (labelled / "audit-looks.json").write_text("[{", "utf-8")
    with pytest.raises(IntegrityError, match="looks"):
        audit_until(with_overrides(read_config(shop), ["audit.n=120"]), labelled, 0.06)
