from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute as pc
import pytest

from curation.audits.auditor_errors import repeated_calls
from curation.audits.verdicts import final_audits
from curation.runs.stage import Stage, open_stage
from labeling.errors import InputError
from labeling.schemas import AUDITS
from pipelines.auditing.drawn import read_drawn
from pipelines.auditing.sample import draw_audits, import_answers
from pipelines.page.answers import Pair, import_journals, pairs_of, report_absent
from pipelines.page.journal import FOLDER, Ask, Entry, open_journal
from pipelines.run.config import Config, read_config


@pytest.fixture
def config(shop: Path) -> Config:
    return read_config(shop, ["audit.truth=", "audit.n=40"])


@pytest.fixture
def drawn(config: Config, labelled: Path) -> list[Pair]:
    draw_audits(config, labelled)
    table = read_drawn(labelled, open_stage(labelled, "candidates"))
    assert table is not None
    return pairs_of(table)


def by_pair(audits: Stage) -> list[tuple[object, ...]]:
    columns = ["image_id", "label_id", "verdict", "stratum", "p_inclusion"]
    rows = audits.table(AUDITS).select(columns).to_pylist()
    return sorted(tuple(row.values()) for row in rows)


def write(
    run_dir: Path,
    pairs: Sequence[Pair],
    verdict: str,
    ask: Ask = "first",
    auditor: str = "ada",
    at: int = 1,
) -> None:
    content = open_stage(run_dir, "candidates").content
    with open_journal(run_dir, auditor) as journal:
        journal.append([Entry(content, *pair, verdict, ask, "one", 500, at) for pair in pairs])


def test_verdicts_are_imported_as_those_of_a_sheet(labelled: Path, drawn: list[Pair]) -> None:
    write(labelled, drawn[:9], "yes")
    write(labelled, drawn[9:20], "no")
    of_page = import_journals(labelled)
    sheet = labelled / "audit-sheet.csv"
    head, *lines = sheet.read_text().splitlines()
    n_verdict = head.split(",").index("verdict")
    for i, line in enumerate(lines[:20]):
        cells = line.split(",")
        cells[n_verdict] = "yes" if i < 9 else "no"
        lines[i] = ",".join(cells)
    sheet.write_text("\n".join([head, *lines]) + "\n")
    by_sheet = import_answers(labelled, sheet)
    assert by_pair(of_page) == by_pair(by_sheet)
    assert of_page.counts["yes"] == 9 and of_page.counts["skipped"] == 0


def test_only_the_start_of_the_draw_counts(
    labelled: Path, drawn: list[Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    write(labelled, [*drawn[:5], *drawn[7:9]], "yes")
    audits = import_journals(labelled)
    assert set(pairs_of(audits.table(AUDITS))) == set(drawn[:5])
    assert "2 judged pairs count as soon as 2 that were drawn before" in capsys.readouterr().err
    write(labelled, drawn[5:7], "no")
    assert set(pairs_of(import_journals(labelled).table(AUDITS))) == set(drawn[:9])


def test_a_repeat_is_not_a_second_verdict_of_its_pair(labelled: Path, drawn: list[Pair]) -> None:
    write(labelled, drawn[:3], "yes", at=1)
    write(labelled, drawn[:2], "no", "repeat", at=2)
    audits = import_journals(labelled).table(AUDITS)
    assert len(audits) == 5
    assert set(final_audits(audits)["verdict"].to_pylist()) == {"yes"}
    assert sorted(repeated_calls(audits).tolist()) == [[False, True]] * 2


def test_auditors_share_a_draw_and_the_later_verdict_counts(
    labelled: Path, drawn: list[Pair]
) -> None:
    write(labelled, drawn[:4], "yes", auditor="ada", at=5)
    write(labelled, drawn[2:6], "no", auditor="bob", at=3)
    stage = import_journals(labelled)
    final = final_audits(stage.table(AUDITS))
    verdicts = dict(zip(pairs_of(final), final["verdict"].to_pylist(), strict=True))
    assert [verdicts[pair] for pair in drawn[:6]] == ["yes"] * 4 + ["no"] * 2
    assert stage.facts["n_judged_by_several"] == 2 and stage.facts["agreement"] == 0


def test_answers_of_an_earlier_sheet_stay(
    config: Config, labelled: Path, drawn: list[Pair]
) -> None:
    write(labelled, drawn, "yes")
    import_journals(labelled)
    larger = config.model_copy(update={"audit": config.audit.model_copy(update={"n": 60})})
    draw_audits(larger, labelled, replaces_untouched=True)
    table = read_drawn(labelled, open_stage(labelled, "candidates"))
    assert table is not None
    new = pairs_of(table)[40:]
    write(labelled, new[:5], "no", auditor="bob", at=9)
    audits = import_journals(labelled).table(AUDITS)
    assert len(audits) == 45
    assert pc.sum(pc.equal(audits["verdict"], "no")).as_py() == 5
    assert pc.sum(pc.equal(audits["auditor"], "ada")).as_py() == 40


def test_a_sheet_that_lacks_verdicts_of_the_page_is_reported(
    labelled: Path, drawn: list[Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(labelled, drawn[:9], "yes")
    sheet = tmp_path / "bob.csv"
    lines = [f"{image},{label},no" for image, label in drawn[7:12]]
    sheet.write_text("\n".join(["image_id,label_id,verdict", *lines]) + "\n")
    by_sheet = import_answers(labelled, sheet)
    report_absent(labelled, by_sheet)
    assert "7 pairs that were judged on the audit page" in capsys.readouterr().err
    assert by_sheet.counts["skipped"] == 7
    both = import_journals(labelled)
    assert (both.counts["yes"], both.counts["no"], both.counts["skipped"]) == (9, 5, 0)
    report_absent(labelled, both)
    assert "audit page" not in capsys.readouterr().err


def test_a_verdict_that_is_taken_back_after_an_import_counts_no_more(
    labelled: Path, drawn: list[Pair]
) -> None:
    write(labelled, drawn[:9], "yes")
    import_journals(labelled)
    write(labelled, drawn[5:6], "")
    audits = import_journals(labelled).table(AUDITS)
    assert set(pairs_of(audits)) == set(drawn[:5])


def test_judgements_drawn_elsewhere_are_not_mixed_with_those_of_the_page(
    labelled: Path, drawn: list[Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{image},{label},no,0.5" for image, label in drawn[20:30]]
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("\n".join(["image_id,label_id,verdict,p_inclusion", *lines]) + "\n")
    import_answers(labelled, elsewhere)
    write(labelled, drawn[:9], "yes")
    audits = import_journals(labelled).table(AUDITS)
    assert set(pairs_of(audits)) == set(drawn[:9])
    assert "were drawn elsewhere" in capsys.readouterr().err


def test_judged_pairs_that_are_not_in_the_draw_are_counted(
    labelled: Path, drawn: list[Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    write(labelled, [*drawn[:3], ("0" * 32, "cat")], "yes")
    assert len(import_journals(labelled).table(AUDITS)) == 3
    assert "1 judged pairs are not in the last draw: left out" in capsys.readouterr().err


def test_verdicts_on_other_candidates_are_counted_and_left_out(
    labelled: Path, drawn: list[Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    with open_journal(labelled, "ada") as journal:
        journal.append([Entry("other", *drawn[0], "yes", "first", "one", 1, 1)])
    with pytest.raises(InputError, match="no verdict of the audit page counts yet"):
        import_journals(labelled)
    assert "1 lines of audit journals are about other candidates" in capsys.readouterr().err


def test_a_run_that_was_audited_otherwise_keeps_its_judgements(selected: Path) -> None:
    before = open_stage(selected, "audits")
    with pytest.raises(InputError, match="no verdict of the audit page counts yet"):
        import_journals(selected)
    assert open_stage(selected, "audits") == before


def test_without_any_journal_the_remedy_is_given(labelled: Path) -> None:
    with pytest.raises(InputError) as caught:
        import_journals(labelled)
    assert "winnow audit serve" in caught.value.help


def test_a_damaged_journal_does_not_undo_the_import_of_a_sheet(
    labelled: Path, drawn: list[Pair], capsys: pytest.CaptureFixture[str]
) -> None:
    write(labelled, drawn[:3], "yes")
    audits = import_journals(labelled)
    (labelled / FOLDER / "bob.jsonl").write_text("{}\n")
    report_absent(labelled, audits)
    assert "bob.jsonl:1" in capsys.readouterr().err
