"""Sheets of judgements: written for people, read as editors and spreadsheets save them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.audits.audits import stratum_columns
from curation.audits.verdicts import find_skipped, is_answer, usable_audits
from curation.pairs.pair_keys import find_pairs
from labeling.errors import InputError
from labeling.readers.table_files.rows import refuse_bad
from labeling.readers.table_files.sandboxed_parquet import read_parquet
from labeling.readers.table_files.tabular import BATCH_BYTES, BATCH_ROWS
from labeling.schemas import AUDITS, SKIPPED, TRUTH, VERDICTS
from labeling.substitutes import substitute_at
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.run.progress import notify
from pipelines.run.spreadsheets import neutral, restored

_SEPARATOR = re.compile(r'\A"?sep=[,;]"?\r?\n', re.IGNORECASE)
"""First line of Excel, which names the delimiter."""

Strata: TypeAlias = Callable[[], tuple[str, npt.NDArray[np.int8]]]
"""Returns the name of the strata of a draw, and the one of each candidate, ``int8[n]``."""

REQUIRED = ("image_id", "label_id", "verdict")
COLUMNS = (*REQUIRED, "auditor", "seq", "stratum", "p_inclusion")
"""Columns that are read; those beyond `REQUIRED` may be missing or empty."""


def sheet_text(judged: pa.Table, asked: pa.Table, images: pa.Table, taxonomy: Taxonomy) -> str:
    """Return a sheet as CSV: the answers so far, and below them the pairs to judge.

    No text of it is a formula for a spreadsheet (see `pipelines.run.spreadsheets`).

    Parameters
    ----------
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
    row = pc.index_in(pairs["image_id"], value_set=images["image_id"])
    nothing = [""] * asked.num_rows
    sheet = {
        "image_id": pairs["image_id"].to_pylist(),
        "label_id": pairs["label_id"].to_pylist(),
        "image": images["location"].take(row).to_pylist(),
        "label": [taxonomy.display_name(c) for c in taxonomy.codes(pairs["label_id"])],
        "verdict": judged["verdict"].to_pylist() + nothing,
        "auditor": judged["auditor"].to_pylist() + nothing,
    }
    cells = {name: [neutral(text or "") for text in column] for name, column in sheet.items()}
    return pd.DataFrame(cells).to_csv(index=False, lineterminator="\n")


def read_answers(
    path: Path, pairs: pa.Table, strata: Strata, drawn: pa.Table | None = None
) -> pa.Table:
    """Return judgements as `labeling.schemas.AUDITS`.

    A pair that was asked before an answered one and has no verdict is `SKIPPED`; those after the
    last answer are left out.

    If the answers do not give the probability with which each pair was drawn, it is the share of
    its stratum that was answered: pairs are drawn in an order of which every beginning is spread
    over the strata.

    Parameters
    ----------
    path
        CSV file with commas or semicolons, or Parquet file: image_id, label_id, verdict in any
        letter case, and where they are known auditor, seq, and p_inclusion with its stratum.
    pairs
        The candidates: a table with ``image_id`` and ``label_id``.
    strata
        Returns the strata of the last draw: `BAND` or `CELL`, and the one of each candidate.
    drawn
        Pairs in the order in which they were asked, if it is known; else that of the file.

    Raises
    ------
    InputError
        With the line, for an unknown verdict, a pair that is not a candidate, or any damage but an
        unfinished last line, which is left out with a notice; if rows but no verdicts are there.
    """
    sheet = _read_sheet(path)
    given = sheet[sheet["verdict"] != ""]
    if len(sheet) and not len(given):
        raise InputError(
            "no row of the answers has a verdict",
            facts={"file": path, "rows": f"{len(sheet):,}"},
            help="fill in the column `verdict`: yes, no or unsure",
        )
    row = find_pairs(_pairs(given), pairs)
    _refuse(
        given["image_id"] + " " + given["label_id"],
        row < 0,
        "an answer is about a pair that is not a candidate",
        "answer the sheet that `winnow audit sample` wrote for this run",
    )
    skipped = _skipped(sheet, given, drawn)
    of_skipped = find_pairs(_pairs(skipped), pairs)
    has_p = (given["p_inclusion"] != "").any()
    lacks_p = (skipped["p_inclusion"] == "").to_numpy(bool) & has_p
    is_used = (of_skipped >= 0) & ~lacks_p
    _report_left_out("are not candidates", int(np.sum(of_skipped < 0)))
    _report_left_out("have no p_inclusion", int(np.sum(lacks_p[of_skipped >= 0])))
    row = np.concatenate([row, of_skipped[is_used]])
    asked = pd.concat([given, skipped[is_used]])
    columns = {name: _texts(asked[name]) for name in REQUIRED}
    columns["auditor"] = _texts(asked["auditor"].replace("", path.stem))
    has_seq = (given["seq"] != "").any()
    columns["seq"] = _numbers(asked["seq"]) if has_seq else pa.array(np.arange(len(asked)))
    columns |= _drawn(asked, row, strata)
    audits = pa.table(columns).select(AUDITS.arrow.names).cast(AUDITS.arrow)
    usable_audits(audits)
    return audits


def read_known(path: Path) -> pa.Table:
    """Return pairs whose truth is known, with the columns `REQUIRED` and the verdict yes or no."""
    sheet = _read_sheet(path)
    known = pa.table({name: _texts(sheet[name]) for name in REQUIRED})
    return known.filter(pa.array(is_answer(known)))


def _skipped(sheet: pd.DataFrame, given: pd.DataFrame, drawn: pa.Table | None) -> pd.DataFrame:
    """Return rows of the pairs that were asked before the last answer and have none."""
    answered = _pairs(given)
    has_p = (given["p_inclusion"] != "").any()
    if has_p or drawn is None or (find_pairs(answered, drawn) < 0).any():
        rows = sheet.iloc[find_skipped(_pairs(sheet), answered)]
    else:
        pairs = drawn.take(find_skipped(drawn, answered)).to_pandas().astype(str)
        rows = pd.DataFrame({name: pairs.get(name, "") for name in COLUMNS}, pairs.index)
    return rows.assign(verdict=SKIPPED, seq=rows["seq"].replace("", "0"))


def _pairs(rows: pd.DataFrame) -> pa.Table:
    return pa.table({name: _texts(rows[name]) for name in ("image_id", "label_id")})


def _drawn(given: pd.DataFrame, row: npt.NDArray[np.int64], strata: Strata) -> dict[str, pa.Array]:
    """Return stratum and inclusion probability of each answer: as given, or by strata."""
    if (given["p_inclusion"] != "").any():
        p_inclusion = _numbers(given["p_inclusion"])
        p = np.asarray(p_inclusion)
        _refuse(
            given["p_inclusion"],
            ~((p > 0) & (p <= 1)),
            "an inclusion probability is not above 0 and at most 1",
            "give the probability that the pair had to be drawn; 1 where all were judged",
        )
        has_strata = (given["stratum"] != "").any()
        stratum = given["stratum"] if has_strata else given["stratum"].replace("", "given")
        return {"stratum": _texts(stratum), "p_inclusion": p_inclusion}
    if not len(row):  # nothing is scored for a sheet without answers
        return {"stratum": _texts(given["stratum"]), "p_inclusion": pa.array([], pa.float64())}
    # Cells also for pairs of earlier draws alone: they divide their strata.
    return stratum_columns(*strata(), row)


def _read_sheet(path: Path) -> pd.DataFrame:
    """Return `COLUMNS` of a file as texts, each row by the file and its line or number."""
    instead = substitute_at(path)
    if instead is not None:
        raise InputError(
            "the answers cannot be read",
            facts={"file": path, "cause": f"it is {instead.kind}"},
            help=instead.remedy,
        )
    try:
        sheet, is_cut = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, ValueError, pa.ArrowException, csv.Error) as error:
        raise InputError(
            "the answers cannot be read",
            facts={"file": path, "cause": error},
            help="give the sheet as CSV, or a table of answers as Parquet",
        ) from error
    missing = [name for name in REQUIRED if name not in sheet.columns]
    if missing:
        raise InputError(
            "the answers lack a column",
            facts={"file": path, "missing": ", ".join(missing)},
            help="keep the columns of the sheet that `winnow audit sample` writes",
        )
    sheet.index = pd.Index([f"{path}:{line}" for line in sheet.index])
    sheet = pd.DataFrame({name: sheet.get(name, "") for name in COLUMNS}, index=sheet.index)
    sheet["verdict"] = sheet["verdict"].str.strip().str.lower()
    unknown = ~sheet["verdict"].isin(["", *VERDICTS, SKIPPED]).to_numpy(bool)
    if is_cut and unknown[-1:].any():
        _report_cut(path)
        sheet, unknown = sheet[:-1], unknown[:-1]
    _refuse(sheet["verdict"], unknown, f"a verdict is not one of {', '.join(VERDICTS)}")
    return sheet


def _read_parquet(path: Path) -> tuple[pd.DataFrame, bool]:
    known = [name for name in pq.read_schema(path).names if name in COLUMNS]
    batches = list(read_parquet(path, known, BATCH_ROWS, BATCH_BYTES))
    refuse_bad(path, batches)
    rows = pa.concat_tables(batch.table for batch in batches).to_pandas().astype(object)
    rows = rows.where(rows.notna(), "").astype(str)
    return rows.set_index(pd.RangeIndex(1, len(rows) + 1)), False


def _read_csv(path: Path) -> tuple[pd.DataFrame, bool]:
    """Return a sheet with commas or semicolons, and whether its last line may be cut."""
    written = _decoded(path.read_bytes())
    text = _SEPARATOR.sub("", written)
    n_before = written != text
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [name.strip().lower() for name in next(reader, [])]
    _refuse_repeated(path, names)
    rows, start = {}, n_before + reader.line_num + 1
    for row in reader:  # a quoted text may hold line breaks, so that a row has many lines
        if row:
            rows[start] = row
        start = n_before + reader.line_num + 1
    is_cut = not text.endswith("\n")
    odd = [line for line, row in rows.items() if len(row) != len(names)]
    if is_cut and odd and odd == [*rows][-1:]:
        _report_cut(path)
        del rows[odd.pop()]
        is_cut = False
    if odd:
        raise InputError(
            "a line of the answers has another number of columns than the first",
            facts={"where": f"{path}:{odd[0]}", "columns": len(names)},
            help="quote texts that hold the separator, or save the sheet as CSV again",
        )
    cells = [[restored(cell) for cell in row] for row in rows.values()]
    return pd.DataFrame(cells, [*rows], names, dtype=str), is_cut


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # saved by a spreadsheet on Windows; ids and verdicts are ASCII
        return content.decode("latin-1")


def _refuse_repeated(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InputError(
            "a column of the answers occurs twice",
            facts={"file": path, "column": twice[0]},
            help="delete one of them",
        )


def _report_left_out(reason: str, n_pairs: int) -> None:
    if n_pairs:
        notify(
            f"{n_pairs:,} pairs without a verdict before the last answer {reason}: they are left"
            " out, and bounds of the precision do not count them as unknown"
        )


def _report_cut(path: Path) -> None:
    notify(f"the last line of {path} is not whole: left out")


def _texts(column: pd.Series[str]) -> pa.Array:
    return pa.array(column.tolist(), pa.string())


def _numbers(column: pd.Series[str]) -> pa.Array:
    """Return a column of numbers in its type of `labeling.schemas.AUDITS`."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    dtype = AUDITS.arrow.field(str(column.name)).type
    bad = ~np.isfinite(numbers)
    if pa.types.is_integer(dtype):
        bad |= (numbers != np.floor(numbers)) | (numbers < 0) | (numbers > 2**53)
    _refuse(column, bad, f"{column.name} is not a valid number")
    return pa.array(numbers).cast(dtype)


def _refuse(
    column: pd.Series[str], bad: npt.NDArray[np.bool_], message: str, help: str = ""
) -> None:
    """Raise `InputError` with the place and the value of the first bad row, if there is any."""
    if bad.any():
        first = int(np.argmax(bad))
        facts = {"where": column.index[first], "found": column.iloc[first][:200]}
        raise InputError(message, facts=facts, help=help)
