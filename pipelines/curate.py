"""`winnow audit`: people judge some of the candidates."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.audits import N_BANDS, agreement, answer, bands, effective, sample, stratum_names
from curation.manifest import (
    Stage,
    current,
    file_digest,
    open_stage,
    reuse,
    staged,
    write_parquet,
    write_text,
)
from curation.pairs import find_pairs
from curation.relatives import Floats
from labeling.errors import InputError
from labeling.schemas import AUDITS, IMAGES, VERDICTS
from pipelines.config import Config
from pipelines.scores import pairs_with_cold_scores
from pipelines.stages import taxonomy_of
from pipelines.talk import say, step
from pipelines.truth import read_truth

SHEET = "audit-sheet.csv"


def draw_audits(config: Config, run_dir: Path) -> tuple[Path, int]:
    """Draw pairs and write them as a sheet for a person to fill in.

    Returns
    -------
    path, n_pairs
        The CSV file, with an empty column ``verdict``.
    """
    candidates = open_stage(run_dir, "candidates")
    taxonomy = taxonomy_of(candidates)
    pairs, cold = pairs_with_cold_scores(candidates)
    drawn = sample(pairs, cold, config.audit.n, config.audit.seed)
    signals = current(run_dir, "signals")
    images = IMAGES.empty() if signals is None else signals.table(IMAGES)
    row = pc.index_in(drawn["image_id"], value_set=images["image_id"])
    sheet = pd.DataFrame(
        {
            "image_id": drawn["image_id"].to_pylist(),
            "label_id": drawn["label_id"].to_pylist(),
            "image": images["location"].take(row).to_pylist(),
            "label": [taxonomy.display_name(c) for c in taxonomy.codes(drawn["label_id"])],
            "verdict": "",
        }
    )
    path = run_dir / SHEET
    if path.exists():
        raise InputError(
            "there is an audit sheet already, which may hold answers",
            facts={"file": path},
            help=f"take in its answers (winnow audit import {run_dir} {path}) or move it away",
        )
    write_text(path, sheet.to_csv(index=False, lineterminator="\n"))
    return path, len(sheet)


def answer_audits(config: Config, run_dir: Path, answers: Path | None) -> Stage:
    """Commit the audits: from a filled-in sheet, or from the truth that the settings name."""
    candidates = open_stage(run_dir, "candidates")
    if answers is not None:
        source, settings = answers, {}
    else:
        source = Path(config.base) / str(config.audit.truth)
        settings = config.audit.model_dump(mode="json")
    digest = file_digest(source) if source.is_file() else ""
    inputs = {"candidates": candidates.content, source.name: digest}
    with step("audits") as facts:
        if reuse(run_dir, "audits", inputs=inputs, config=settings) is None:
            pairs, cold = pairs_with_cold_scores(candidates)
            if answers is not None:
                audits = _read_answers(answers, pairs, cold)
            else:
                truth = read_truth(source, taxonomy_of(candidates))
                drawn = sample(pairs, cold, config.audit.n, config.audit.seed)
                audits = answer(drawn, truth)
            with staged(
                run_dir, "audits", inputs=inputs, config=settings, seed=config.audit.seed
            ) as work:
                write_parquet(audits, work.dir / "audits-00000-of-00001.parquet")
                verdicts = audits["verdict"].to_pylist()
                work.counts |= {verdict: verdicts.count(verdict) for verdict in VERDICTS}
                work.facts |= _agreement(audits)
        stage = open_stage(run_dir, "audits")
        facts += [f"{stage.counts[verdict]:,} {verdict}" for verdict in VERDICTS]
        told = stage.manifest["facts"]
        if told.get("n_judged_by_several"):
            n_pairs = told["n_judged_by_several"]
            facts.append(f"auditors agree in {told['agreement']:.0%} of {n_pairs:,} pairs")
    return stage


def _agreement(audits: pa.Table) -> dict[str, float]:
    found = agreement(audits)
    facts = {"agreement": found.share, "kappa": found.kappa}
    told = {name: value for name, value in facts.items() if not math.isnan(value)}
    return {"n_judged_by_several": found.n_pairs, **told}


def _read_answers(path: Path, candidates: pa.Table, cold: Floats) -> pa.Table:
    """Return filled-in answers as `labeling.schemas.AUDITS`; rows without a verdict are left out.

    Where the answers do not say with which probability each pair was drawn, it is the share of its
    band that was answered: pairs are drawn in an order of which every beginning is spread over the
    bands.
    """
    sheet = _read_sheet(path)
    said = sheet["verdict"].str.strip().str.lower()
    for line, verdict in zip(said.index + 2, said, strict=True):
        if verdict and verdict not in VERDICTS:
            raise InputError(
                "a verdict is not known",
                facts={"where": f"{path}:{line}", "found": verdict, "known": ", ".join(VERDICTS)},
            )
    given = sheet.assign(verdict=said)[said != ""]
    pairs = pa.table(
        {n: pa.array(given[n].tolist(), pa.string()) for n in ("image_id", "label_id")}
    )
    row = find_pairs(pairs, candidates)
    if (row < 0).any():
        line = int(given.index[int(np.argmax(row < 0))]) + 2
        raise InputError(
            "an answer is about a pair that is no candidate",
            facts={"where": f"{path}:{line}"},
            help="answer the sheet that `winnow audit sample` wrote for this run",
        )
    band = bands(candidates, cold)
    size = np.bincount(band, minlength=N_BANDS)
    answered = np.bincount(band[np.unique(row)], minlength=N_BANDS)
    columns = {
        "auditor": pa.array([path.stem] * len(given), pa.string()),
        "seq": pa.array(np.arange(len(given))),
        "stratum": stratum_names(band[row]),
        "p_inclusion": pa.array((answered / np.maximum(size, 1))[band[row]]),
    }
    if "p_inclusion" in given and "stratum" not in given:
        given = given.assign(stratum="given")
    for name in columns:
        if name in given:
            columns[name] = _typed(given, name, path)
    columns |= {
        **{name: pairs[name] for name in pairs.column_names},
        "verdict": pa.array(given["verdict"].tolist(), pa.string()),
    }
    audits = pa.table(columns).select(AUDITS.arrow.names).cast(AUDITS.arrow)
    effective(audits)
    return audits


def _read_sheet(path: Path) -> pd.DataFrame:
    """Return a CSV or Parquet file as texts."""
    try:
        if path.suffix == ".parquet":
            sheet: pd.DataFrame = pq.read_table(path).to_pandas().astype(str)
        else:
            sheet = _read_csv(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(
            "the answers cannot be read", facts={"file": path, "cause": error}
        ) from error
    missing = [c for c in ("image_id", "label_id", "verdict") if c not in sheet.columns]
    if missing:
        raise InputError(
            "the answers lack a column", facts={"file": path, "missing": ", ".join(missing)}
        )
    return sheet


def _read_csv(path: Path) -> pd.DataFrame:
    """Return a sheet with commas or semicolons; a last line that was not finished is left out."""
    text = path.read_text(encoding="utf-8-sig")
    header = text.partition("\n")[0]
    separator = ";" if ";" in header and "," not in header else ","
    names = [name.strip() for name in header.split(separator)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            "a column of the answers stands twice", facts={"file": path, "column": twice[0]}
        )
    lines = enumerate(csv.reader(io.StringIO(text), delimiter=separator))
    rows = [(n, line) for n, line in lines if n and line]
    odd = [n for n, line in rows if len(line) != len(names)]
    if odd and odd == [rows[-1][0]] and not text.endswith("\n"):
        say(f"the last line of {path} is not whole: left out")
        rows.pop()
    elif odd:
        raise InputError(
            "a line of the answers has another number of columns than the first",
            facts={"where": f"{path}:{odd[0] + 1}"},
        )
    index = pd.Index([n - 1 for n, _ in rows])
    return pd.DataFrame([line for _, line in rows], columns=names, index=index, dtype=str)


def _typed(given: pd.DataFrame, name: str, path: Path) -> pa.Array:
    """Return a column of answers in its type of `labeling.schemas.AUDITS`."""
    values = pa.array(given[name].tolist(), pa.string())
    try:
        return values.cast(AUDITS.arrow.field(name).type)
    except pa.ArrowInvalid as error:
        raise InputError(
            "a column of the answers has another type",
            facts={"file": path, "column": name, "cause": error},
        ) from error
