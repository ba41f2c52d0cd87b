"""Sheets of judgements: written for people, read back as they come out of editors."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.audits.audits import BAND, CELL, bands, stratum_columns, usable_audits
from curation.audits.two_phase import Cells
from curation.pairs.pair_keys import find_pairs
from curation.runs.durable import write_text
from curation.scoring.parts import Pool
from labeling.errors import InputError
from labeling.readers.sandboxed_parquet import read_parquet
from labeling.readers.tabular import BATCH_BYTES, BATCH_ROWS
from labeling.schemas import AUDITS, TRUTH, VERDICTS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.run.progress import notify

REQUIRED = ("image_id", "label_id", "verdict")
OPTIONAL = ("auditor", "seq", "stratum", "p_inclusion")


def write_sheet(
    path: Path, judged: pa.Table, asked: pa.Table, images: pa.Table, taxonomy: Taxonomy
) -> None:
    """Write a sheet: what was judged so far, and below it the pairs to judge.

    Parameters
    ----------
    path
        The CSV file.
    judged
        Table of `labeling.schemas.AUDITS`.
    asked
        Table with ``image_id`` and ``label_id``.
    images
        Table of `labeling.schemas.IMAGES`, to show where the images are; may lack any.
    taxonomy
        The labels, to show their names.
    """
    judged = judged.sort_by("seq")
    pairs = pa.concat_tables(
        [t.select(TRUTH.arrow.names).cast(TRUTH.arrow) for t in (judged, asked)]
    )
    place = pc.index_in(pairs["image_id"], value_set=images["image_id"])
    nothing = [""] * asked.num_rows
    sheet = {
        "image_id": pairs["image_id"].to_pylist(),
        "label_id": pairs["label_id"].to_pylist(),
        "image": images["location"].take(place).to_pylist(),
        "label": [taxonomy.display_name(c) for c in taxonomy.codes(pairs["label_id"])],
        "verdict": judged["verdict"].to_pylist() + nothing,
        "auditor": judged["auditor"].to_pylist() + nothing,
    }
    write_text(path, pd.DataFrame(sheet).to_csv(index=False, lineterminator="\n"))


def read_answers(path: Path, pool: Pool, cells: Cells | None = None) -> pa.Table:
    """Return judgements as `labeling.schemas.AUDITS`; rows without a verdict are left out.

    Where the answers do not say with which probability each pair was drawn, it is the share of its
    stratum that was answered: pairs are drawn in an order of which every beginning is spread over
    the strata.

    Parameters
    ----------
    path
        CSV file with commas or semicolons, or Parquet file: image_id, label_id, verdict in any
        letter case, and where they are known auditor, seq, and p_inclusion with its stratum.
    pool
        The candidates.
    cells
        What a second draw went by, where there was one.

    Raises
    ------
    InputError
        For damage other than an unfinished last line (which is left out with a notice), a verdict
        that is none, or a pair that is no candidate, with the line; for rows of which none has a
        verdict.
    """
    sheet = _read_sheet(path)
    given = sheet[sheet["verdict"] != ""]
    if len(sheet) and not len(given):
        raise InputError(
            "no row of the answers has a verdict",
            facts={"file": path, "rows": f"{len(sheet):,}"},
            help="fill in the column `verdict`: yes, no or unsure",
        )
    pairs = pa.table({n: _texts(given, n) for n in ("image_id", "label_id")})
    row = find_pairs(pairs, pool.pairs)
    _refuse(
        path,
        given,
        row < 0,
        "an answer is about a pair that is no candidate",
        help="answer the sheet that `winnow audit sample` wrote for this run",
    )
    columns = {
        **{name: pairs[name] for name in pairs.column_names},
        "verdict": _texts(given, "verdict"),
        "auditor": pa.array([path.stem] * len(given), pa.string()),
        "seq": pa.array(np.arange(len(given))),
        **_drawn(path, given, row, pool, cells),
    }
    if "auditor" in given:
        columns["auditor"] = _texts(
            given.assign(auditor=given["auditor"].replace("", path.stem)), "auditor"
        )
    if "seq" in given:
        columns["seq"] = _typed(path, given, "seq")
    audits = pa.table(columns).select(AUDITS.arrow.names).cast(AUDITS.arrow)
    usable_audits(audits)
    return audits


def _drawn(
    path: Path,
    given: pd.DataFrame,
    row: npt.NDArray[np.int64],
    pool: Pool,
    cells: Cells | None,
) -> dict[str, pa.Array]:
    """Return stratum and inclusion probability of each answer: as given, or by strata."""
    if "p_inclusion" in given:
        p_inclusion = _typed(path, given, "p_inclusion")
        p = np.asarray(p_inclusion)
        _refuse(
            path,
            given,
            ~((p > 0) & (p <= 1)),
            "an inclusion probability is not above 0 and at most 1",
            help="give the probability that the pair had to be drawn; 1 where all were judged",
        )
        strata = _texts(given, "stratum") if "stratum" in given else ["given"] * len(given)
        return {"stratum": pa.array(strata, pa.string()), "p_inclusion": p_inclusion}
    if cells is not None and not cells.asked[row].all():
        return stratum_columns(CELL, cells.cell, row)
    return stratum_columns(BAND, bands(pool.pairs, pool.cold), row)


def _read_sheet(path: Path) -> pd.DataFrame:
    """Return the known columns of a file as texts, by the number of the line or row."""
    try:
        sheet, is_cut = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, ValueError, pa.ArrowException, csv.Error) as error:
        raise InputError(
            "the answers cannot be read", facts={"file": path, "cause": error}
        ) from error
    missing = [name for name in REQUIRED if name not in sheet.columns]
    if missing:
        raise InputError(
            "the answers lack a column", facts={"file": path, "missing": ", ".join(missing)}
        )
    sheet = sheet.assign(verdict=sheet["verdict"].str.strip().str.lower())
    unknown = ~sheet["verdict"].isin(["", *VERDICTS]).to_numpy(bool)
    if is_cut and unknown[-1:].any():
        notify(f"the last line of {path} is not whole: left out")
        sheet, unknown = sheet[:-1], unknown[:-1]
    said = f"a verdict is none of {', '.join(VERDICTS)}"
    _refuse(path, sheet, unknown, said, found="verdict")
    return sheet


def _read_parquet(path: Path) -> tuple[pd.DataFrame, bool]:
    known = [n for n in pq.read_schema(path).names if n in (*REQUIRED, *OPTIONAL)]
    tables = list(read_parquet(path, known, BATCH_ROWS, BATCH_BYTES))
    rows = pa.concat_tables(tables).to_pandas().astype(object)
    rows = rows.where(rows.notna(), "").astype(str)
    return rows.set_index(pd.RangeIndex(1, len(rows) + 1)), False


def _read_csv(path: Path) -> tuple[pd.DataFrame, bool]:
    """Return a sheet with commas or semicolons, and whether its last line may be cut."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # what a spreadsheet on Windows writes; ids and verdicts are ASCII
        text = content.decode("latin-1")
    header = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in header and "," not in header else ","
    )
    names = [name.strip().lower() for name in next(reader, [])]
    twice = sorted(
        {name for name in names if names.count(name) > 1 and name in (*REQUIRED, *OPTIONAL)}
    )
    if twice:
        raise InputError(
            "a column of the answers stands twice", facts={"file": path, "column": twice[0]}
        )
    rows, lines, start = [], [], reader.line_num + 1
    for row in reader:
        if row:
            rows.append(row)
            lines.append(start)
        start = reader.line_num + 1
    is_cut = not text.endswith("\n")
    odd = [place for place, row in enumerate(rows) if len(row) != len(names)]
    if is_cut and odd == [len(rows) - 1]:
        notify(f"the last line of {path} is not whole: left out")
        rows, lines, is_cut = rows[:-1], lines[:-1], False
    elif odd:
        raise InputError(
            "a line of the answers has another number of columns than the first",
            facts={"where": f"{path}:{lines[odd[0]]}"},
        )
    return pd.DataFrame(rows, columns=names, index=pd.Index(lines), dtype=str), is_cut


def _texts(rows: pd.DataFrame, name: str) -> pa.Array:
    return pa.array(rows[name].tolist(), pa.string())


def _typed(path: Path, given: pd.DataFrame, name: str) -> pa.Array:
    """Return a column of numbers in its type of `labeling.schemas.AUDITS`."""
    numbers = pd.to_numeric(given[name], errors="coerce").to_numpy(np.float64)
    kind = AUDITS.arrow.field(name).type
    bad = ~np.isfinite(numbers)
    if pa.types.is_integer(kind):
        bad |= (numbers != np.floor(numbers)) | (numbers < 0) | (numbers > 2**53)
    _refuse(path, given, bad, f"{name} is not a number it can be", found=name)
    return pa.array(numbers).cast(kind)


def _refuse(
    path: Path,
    rows: pd.DataFrame,
    bad: Sequence[bool] | npt.NDArray[np.bool_],
    message: str,
    found: str | None = None,
    help: str = "",
) -> None:
    """Raise `InputError` with the line of the first bad row, if there is any."""
    if not np.any(bad):
        return
    first = int(np.argmax(bad))
    facts: dict[str, object] = {"where": f"{path}:{rows.index[first]}"}
    if found is not None:
        facts["found"] = rows[found].iloc[first][:200]
    raise InputError(message, facts=facts, help=help)
