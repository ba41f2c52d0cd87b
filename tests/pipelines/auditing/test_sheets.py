from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from curation.audits.audits import BAND
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import AUDITS, CANDIDATES, IMAGES
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from pipelines.auditing.sheets import read_answers, sheet_text

LABELS = {"-x": "+cmd|' /C calc'!A0", "b": "@SUM(1)", "c": "plain; -name"}
LOCATIONS = ['=HYPERLINK("http://evil/1")', "\tx.jpg", "a/b.jpg"]


def test_a_sheet_holds_no_formula_and_comes_back(tmp_path: Path) -> None:
    taxonomy = build_taxonomy(
        [Label(id_, ((name, "en"),), (), None, n) for n, (id_, name) in enumerate(LABELS.items())],
        "test",
    )
    ids = [digest(location) for location in LOCATIONS]
    images = pa.table(
        {"image_id": ids, "location": LOCATIONS, "n_bytes": [1] * 3}, schema=IMAGES.arrow
    )
    pairs = [(image, label) for image in ids for label in LABELS]
    item = {"source": "alt", "strength": 1.0, "n_pages": 1, "n_hosts": 1}
    rows = [
        {"image_id": i, "label_id": label, "evidence": [item], "silent": [], "ambiguity": 1}
        for i, label in pairs
    ]
    judged = [
        {
            "image_id": i,
            "label_id": label,
            "verdict": "yes",
            "auditor": "=me",
            "seq": n,
            "stratum": "all",
            "p_inclusion": 1.0,
        }
        for n, (i, label) in enumerate(pairs)
    ]
    audits = pa.Table.from_pylist(judged, schema=AUDITS.arrow)
    path = tmp_path / "sheet.csv"
    path.write_text(sheet_text(audits, audits.slice(0, 0), images, taxonomy), "utf-8")
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=me" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)
    candidates = pa.Table.from_pylist(rows, schema=CANDIDATES.arrow)
    answers = read_answers(path, candidates, one_band)
    for name in ("image_id", "label_id", "verdict", "auditor"):
        assert answers[name].to_pylist() == audits[name].to_pylist()


def one_band() -> tuple[str, npt.NDArray[np.int8]]:
    return BAND, np.zeros(9, np.int8)


def test_skipped_pairs_that_cannot_count_as_unknown_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [digest(str(number)) for number in range(6)]
    item = {"source": "alt", "strength": 1.0, "n_pages": 1, "n_hosts": 1}
    rows = [
        {"image_id": i, "label_id": "cat", "evidence": [item], "silent": [], "ambiguity": 1}
        for i in ids[:5]
    ]
    candidates = pa.Table.from_pylist(rows, schema=CANDIDATES.arrow)
    verdicts = ["", "", "", "yes", "no", ""]
    sheet = zip([ids[5], *ids[:5]], verdicts, ["", "", "0.5", "0.5", "0.5", ""], strict=True)
    path = tmp_path / "mine.csv"
    lines = [f"{image},cat,{verdict},{p}" for image, verdict, p in sheet]
    path.write_text("\n".join(["image_id,label_id,verdict,p_inclusion", *lines, ""]))
    answers = read_answers(path, candidates, one_band)
    assert answers["image_id"].to_pylist() == [ids[2], ids[3], ids[1]]
    assert answers["verdict"].to_pylist() == ["yes", "no", "skipped"]
    printed = capsys.readouterr().err
    excel = path.read_text().replace(",", ";")
    path.write_text(f"sep=;\n{excel}")
    assert read_answers(path, candidates, one_band).equals(answers)
    path.write_text("sep=;\n" + excel.replace(";yes", ";yess"))
    with pytest.raises(InputError, match="a verdict is not one of") as caught:
        read_answers(path, candidates, one_band)
    assert caught.value.facts["where"] == f"{path}:6"
    path.write_text("<!doctype html>\n")
    with pytest.raises(InputError, match="it is an HTML page"):
        read_answers(path, candidates, one_band)
    before = "1 pairs without a verdict before the last answer"
    assert f"{before} are not candidates" in printed
    assert f"{before} have no p_inclusion" in printed
