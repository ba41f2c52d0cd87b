from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from curation.audits.audits import answer, sample
from curation.audits.verdicts import count_doubtful
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import open_stage
from curation.scoring.features import features
from labeling.errors import InputError
from labeling.schemas import AUDITS, CANDIDATES, SELECTED
from pipelines.auditing.import_candidates import import_candidates
from pipelines.auditing.sample import import_answers
from pipelines.cli import main
from tests.curation.worlds import cold_scores, make_world

WORLD = make_world(800, seed=5)


@pytest.fixture
def shuffled(tmp_path: Path) -> Path:
    """Write the candidates in another order, with other types and one column more."""
    order = np.random.default_rng(0).permutation(len(WORLD.candidates))
    table = WORLD.candidates.take(pa.array(order))
    wide = table.set_column(0, "image_id", table["image_id"].cast(pa.large_string()))
    path = tmp_path / "candidates.parquet"
    pq.write_table(wide.append_column("note", pa.array(order)), path)
    return path


def write_audits(path: Path, n: int) -> Path:
    table = features(WORLD.candidates, WORLD.taxonomy)
    audits = answer(sample(table.pairs, cold_scores(table), n, 0), WORLD.truth)
    if path.suffix == ".parquet":
        pq.write_table(audits, path)
    else:
        audits.select(["image_id", "label_id", "verdict"]).to_pandas().to_csv(path, index=False)
    return path


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def selected_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Import and select, between two `winnow status`; return the run and what each prints."""
    folder = tmp_path_factory.mktemp("imported")
    run, path = folder / "run", folder / "candidates.parquet"
    pq.write_table(WORLD.candidates, path)
    audits = write_audits(folder / "audits.parquet", 300)
    winnow("audit", "import", run, audits, "--candidates", path)
    return run, [winnow(command, run).stderr for command in ("status", "select", "status")]


def nobody(tmp_path: Path) -> Path:
    """Write judgements of nothing."""
    path = tmp_path / "none.csv"
    path.write_text("image_id,label_id,verdict\n", "utf-8")
    return path


def test_candidates_are_sorted_and_cast(tmp_path, shuffled):
    stage = import_candidates(tmp_path / "run", shuffled, None)
    expected = WORLD.candidates.sort_by([("image_id", "ascending"), ("label_id", "ascending")])
    assert stage.table(CANDIDATES).equals(expected)
    assert stage.counts == {"candidates": len(expected), "images": 800}


def test_a_run_of_imported_candidates_is_selected_and_reported(tmp_path, shuffled):
    run = tmp_path / "run"
    audits = write_audits(tmp_path / "audits.parquet", 500)
    done = winnow("audit", "import", run, audits, "--candidates", shuffled)
    assert done.exit_code == 0, done.output
    assert winnow("select", run, "--keep", 0.25).exit_code == 0
    selected = open_stage(run, "selected").table(SELECTED)
    kept = np.asarray(selected["kept"])
    assert kept.sum() == round(len(kept) / 4)
    right = find_pairs(selected, WORLD.truth) >= 0
    facts = open_stage(run, "selected").facts
    assert facts["precision_low"] <= right[kept].mean() <= facts["precision_high"]
    assert winnow("report", run).exit_code == 0
    assert "report.html" in {path.name for path in run.iterdir()}


def test_a_precision_that_cannot_be_proved_leaves_what_was_selected(tmp_path, selected_once):
    run = shutil.copytree(selected_once[0], tmp_path / "run")
    before = open_stage(run, "selected").manifest
    refused = winnow("select", run, "--precision", 0.999)
    assert refused.exit_code == 4
    assert "best that can be proved" in refused.output
    assert open_stage(run, "selected").manifest == before


def test_judgements_of_our_own_order_get_the_probabilities_of_their_bands(tmp_path, shuffled):
    run = tmp_path / "run"
    import_candidates(run, shuffled, None)
    imported, given = (
        import_answers(run, write_audits(tmp_path / name, 400)).table(AUDITS)
        for name in ("a.csv", "a.parquet")
    )
    same = ["image_id", "label_id", "verdict", "stratum", "p_inclusion"]
    assert imported.select(same).equals(given.select(same))


def test_a_pair_that_occurs_twice_is_refused(tmp_path):
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.concat_tables([WORLD.candidates, WORLD.candidates.slice(7, 1)]), path)
    done = winnow(
        "audit", "import", tmp_path / "run", write_audits(tmp_path / "a.csv", 60),
        "--candidates", path,
    )  # fmt: skip
    assert done.exit_code == 3
    assert "occurs twice" in done.output
    assert not (tmp_path / "run" / "candidates").exists()


ITEM = {"source": "alt", "strength": 0.5, "n_pages": 2, "n_hosts": 1}


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("evidence", [ITEM | {"strength": float("nan")}], "strength of some evidence is not from"),
        ("evidence", [ITEM | {"strength": 1.5}], "strength of some evidence is not from 0 to 1"),
        ("evidence", [ITEM | {"n_pages": 0}], "n_pages of some evidence is not 1 or more"),
        ("evidence", [ITEM | {"source": None}], "source of some evidence is missing"),
        ("evidence", [None], "source of some evidence is missing"),
        ("evidence", None, "no list of evidence"),
        ("evidence", [ITEM, ITEM], "votes twice"),
        ("evidence", [ITEM | {"source": "title"}], "or votes and is silent"),
        ("silent", [None], "a silent source has no name"),
        ("silent", None, "values of silent are null"),
        ("ambiguity", 0, "values of ambiguity are below 1"),
        ("label_id", "a b", "label_id are not of the form"),
        ("image_id", "x", "image_id are not of the form"),
    ],
)
def test_a_value_that_no_candidate_may_have_is_refused_with_its_row(
    tmp_path, column, value, expected
):
    rows = WORLD.candidates.slice(0, 20).to_pylist()
    rows[7] |= {"evidence": [ITEM], "silent": ["title"]} | {column: value}
    item = pa.struct([(n, pa.string() if n == "source" else pa.float64()) for n in ITEM])
    kinds = {"evidence": pa.list_(item), "silent": pa.list_(pa.string())}
    columns = {n: pa.array([row[n] for row in rows], kinds.get(n)) for n in rows[0]}
    path = tmp_path / "candidates.parquet"
    pq.write_table(pa.table(columns), path)
    done = winnow("audit", "import", tmp_path / "run", nobody(tmp_path), "--candidates", path)
    assert done.exit_code == 3
    assert expected in done.output
    assert re.search(r"row 7:|first 8", done.output)
    assert not (tmp_path / "run" / "candidates").exists()


def test_evidence_is_sorted_by_source_and_dictionaries_are_read(tmp_path):
    rows = WORLD.candidates.slice(0, 50).to_pylist()
    backwards = pa.Table.from_pylist(
        [row | {"evidence": row["evidence"][::-1]} for row in rows], WORLD.candidates.schema
    )
    coded = backwards["label_id"].combine_chunks().dictionary_encode()
    path = tmp_path / "candidates.parquet"
    pq.write_table(backwards.set_column(1, "label_id", coded), path)
    stage = import_candidates(tmp_path / "run", path, None)
    ordered = [("image_id", "ascending"), ("label_id", "ascending")]
    assert stage.table(CANDIDATES).equals(WORLD.candidates.slice(0, 50).sort_by(ordered))


def test_many_candidates_come_in_by_parts(tmp_path, shuffled, monkeypatch):
    whole = import_candidates(tmp_path / "whole", shuffled, None)
    monkeypatch.setattr("pipelines.auditing.import_candidates.ROWS_OF_FILE", 1000)
    monkeypatch.setattr("pipelines.auditing.import_candidates.BATCH_ROWS", 700)
    parts = import_candidates(tmp_path / "parts", shuffled, None)
    assert len(parts.paths(".parquet", "candidates-")) == 8
    assert parts.table(CANDIDATES).equals(whole.table(CANDIDATES))
    assert parts.counts == whole.counts
    table = WORLD.candidates.to_pylist()
    table[5000]["evidence"] = [ITEM, ITEM]
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.Table.from_pylist(table, WORLD.candidates.schema), path)
    with pytest.raises(InputError, match=r"first 5,001"):
        import_candidates(tmp_path / "bad", path, None)


def test_no_candidates_need_a_taxonomy(tmp_path):
    path = tmp_path / "candidates.parquet"
    pq.write_table(WORLD.candidates.slice(0, 0), path)
    begin = ("audit", "import", tmp_path / "run", nobody(tmp_path), "--candidates", path)
    assert "no taxonomy is given" in winnow(*begin).output
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"id": "cat"}\n', "utf-8")
    assert winnow(*begin, "--taxonomy", labels).exit_code == 0
    done = winnow("audit", "sample", tmp_path / "run")
    assert done.exit_code == 3
    assert "no candidates" in done.output


def test_a_run_without_judgements_asks_for_some(tmp_path, shuffled):
    run = tmp_path / "run"
    done = winnow("audit", "import", run, nobody(tmp_path), "--candidates", shuffled)
    assert done.exit_code == 0, done.output
    assert "too few audits" in winnow("select", run).output
    asked = winnow("audit", "sample", run, "--until-width", "0.2", "-o", "audit.n=80")
    assert asked.stdout.splitlines()[-1] == "pairs  80"
    header, first, *_ = (run / "audit-sheet.csv").read_text("utf-8").splitlines()
    assert header == "image_id,label_id,image,label,verdict,auditor"
    assert first.split(",")[2] == ""


def test_the_next_command_of_an_imported_run_is_suggested(selected_once):
    run, (before, selecting, after) = selected_once
    assert before == f"next: winnow select {run}\n"
    assert selecting.splitlines()[-1] == f"next: winnow report {run}"
    assert after == f"next: winnow report {run}\n"


@pytest.mark.parametrize("column", ["image_id", "evidence", "silent"])
def test_a_missing_column_is_named(tmp_path, column):
    path = tmp_path / "candidates.parquet"
    pq.write_table(WORLD.candidates.drop_columns([column]), path)
    audits = write_audits(tmp_path / "a.csv", 60)
    done = winnow("audit", "import", tmp_path / "run", audits, "--candidates", path)
    assert done.exit_code == 3
    assert column in done.output


def test_a_probability_of_nothing_is_refused(tmp_path, shuffled):
    path = tmp_path / "a.csv"
    pairs = WORLD.candidates.select(["image_id", "label_id"]).slice(0, 60).to_pandas()
    pairs.assign(verdict="yes", p_inclusion=0.0).to_csv(path, index=False)
    done = winnow("audit", "import", tmp_path / "run", path, "--candidates", shuffled)
    assert done.exit_code == 3
    assert "inclusion probability is not above 0" in done.output
    assert "a.csv:2" in done.output


def test_selecting_without_audits_refuses(tmp_path, shuffled):
    import_candidates(tmp_path / "run", shuffled, None)
    done = winnow("select", tmp_path / "run")
    assert done.exit_code == 3
    assert "precision cannot be shown" in done.output


def sheet_of(tmp_path: Path) -> list[str]:
    return write_audits(tmp_path / "a.csv", 60).read_text(encoding="utf-8").splitlines()


def import_lines(tmp_path: Path, shuffled: Path, text: str, encoding: str = "utf-8") -> Result:
    path = tmp_path / "edited.csv"
    path.write_bytes(text.encode(encoding))
    return winnow("audit", "import", tmp_path / "run", path, "--candidates", shuffled)


def test_a_sheet_that_a_spreadsheet_saved_is_read(tmp_path, shuffled):
    lines = [line.replace(",", ";") for line in sheet_of(tmp_path)]
    done = import_lines(tmp_path, shuffled, "\r\n".join(lines) + "\r\n", "utf-8-sig")
    assert done.exit_code == 0, done.output
    counts = open_stage(tmp_path / "run", "audits").counts
    assert counts["yes"] + counts["no"] == 60


def test_an_unfinished_last_line_is_left_out_with_a_notice(tmp_path, shuffled):
    lines = sheet_of(tmp_path)
    done = import_lines(tmp_path, shuffled, "\n".join([*lines[:-1], lines[-1][:20]]))
    assert done.exit_code == 0, done.output
    assert "not whole" in done.output
    counts = open_stage(tmp_path / "run", "audits").counts
    assert counts["yes"] + counts["no"] == 59


def test_a_damaged_line_is_named(tmp_path, shuffled):
    lines = sheet_of(tmp_path)
    lines[7] = lines[7][:20]
    done = import_lines(tmp_path, shuffled, "\n".join(lines) + "\n")
    assert done.exit_code == 3
    assert "edited.csv:8" in done.output


def test_a_column_that_occurs_twice_is_refused(tmp_path, shuffled):
    header, *lines = sheet_of(tmp_path)
    text = "\n".join([header + ",verdict", *(f"{line},yes" for line in lines)])
    done = import_lines(tmp_path, shuffled, text + "\n")
    assert done.exit_code == 3
    assert "occurs twice" in done.output


def test_a_verdict_that_was_not_finished_is_left_out_with_a_notice(tmp_path, shuffled):
    lines = sheet_of(tmp_path)
    text = "\n".join([*lines[:-1], lines[-1].rpartition(",")[0] + ",y"])
    done = import_lines(tmp_path, shuffled, text)
    assert done.exit_code == 0, done.output
    assert "not whole" in done.output
    assert import_lines(tmp_path, shuffled, text + "\n").exit_code == 3


def test_quoted_headers_blank_auditors_and_other_letter_case_are_read(tmp_path, shuffled):
    header, *lines = sheet_of(tmp_path)
    names = ",".join(f'"{name.upper()}"' for name in [*header.split(","), "auditor", "label"])
    rows = [f'{line.replace("yes", "YES")},{"ann" if i % 2 else ""},"two\nlines"'
            for i, line in enumerate(lines)]  # fmt: skip
    done = import_lines(tmp_path, shuffled, "\n".join([names, *rows, "x,y,perhaps,,"]) + "\n")
    assert "edited.csv:122" in done.output  # the number of the line, not of the row
    done = import_lines(tmp_path, shuffled, "\n".join([names, *rows]) + "\n")
    assert done.exit_code == 0, done.output
    audits = open_stage(tmp_path / "run", "audits").table(AUDITS)
    assert set(audits["auditor"].to_pylist()) == {"ann", "edited"}


def test_of_judgements_out_of_order_the_one_with_the_last_number_counts(tmp_path, shuffled):
    header, *lines = sheet_of(tmp_path)
    again = [f"{line.rpartition(',')[0]},unsure,{i}" for i, line in enumerate(lines[:5])]
    rows = [f"{line},{100 - i}" for i, line in enumerate(lines)]
    done = import_lines(tmp_path, shuffled, "\n".join([f"{header},seq", *rows, *again]) + "\n")
    assert done.exit_code == 0, done.output
    audits = open_stage(tmp_path / "run", "audits").table(AUDITS)
    assert count_doubtful(audits)[0] == 0
    bad = import_lines(tmp_path, shuffled, "\n".join([f"{header},seq", f"{lines[0]},-1"]) + "\n")
    assert bad.exit_code == 3
    assert "edited.csv:2" in bad.output


def test_a_sheet_with_another_encoding_is_read(tmp_path, shuffled):
    header, *lines = sheet_of(tmp_path)
    text = "\n".join([f"{header},label", *(f"{line},caf\u00e9" for line in lines)]) + "\n"
    done = import_lines(tmp_path, shuffled, text, "latin-1")
    assert done.exit_code == 0, done.output


def test_auditors_who_contradict_each_other_are_reported(tmp_path, shuffled):
    header, *lines = sheet_of(tmp_path)
    second = [line.replace(",yes", ",no") for line in lines[:20]]
    text = [f"{header},auditor", *(f"{x},ann" for x in lines), *(f"{x},bob" for x in second)]
    done = import_lines(tmp_path, shuffled, "\n".join(text) + "\n")
    assert done.exit_code == 0, done.output
    facts = open_stage(tmp_path / "run", "audits").facts
    n_yes = sum(line.endswith(",yes") for line in lines[:20])
    assert facts["n_judged_by_several"] == 20
    assert facts["agreement"] == pytest.approx(1 - n_yes / 20)
    assert "auditors agree in" in done.output
