"""Memory and time of the steps that touch every candidate, by their number.

    python tests/benchmarks/stages.py [--candidates N …] [--audits N]

Candidates are made from a seed: three of each image, of 18,291 labels (Zipf), by eight sources,
with known truth. `audit import` makes a run of them, `audit sample` draws pairs, the truth answers,
`audit import` reads the answers, `select` keeps a third, and `select` a half with the scores that
are there then. Each is a process of its own, measured whole with start-up and imports: seconds of
CPU, of the clock, and the largest resident memory in MiB. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.pairs.pair_keys import find_pairs
from labeling.keys.ids import from_halves
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM, TRUTH

N_LABELS, PER_IMAGE, PER_FILE = 18_291, 3, 300_000
SOURCES = ("alt", "anchor", "caption", "filename", "heading", "surrounding", "tag", "title")
P_RIGHT = 0.4
P_VOTE = np.array(
    [[0.15, 0.1, 0.12, 0.2, 0.1, 0.25, 0.05, 0.1], [0.5, 0.2, 0.4, 0.4, 0.2, 0.3, 0.2, 0.4]]
)
"""Probability that a source votes for a wrong and for a right label."""

P_SILENT = 0.4

Cost = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the steps that touch every candidate.")
    parser.add_argument("--candidates", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--audits", type=int, default=500)
    arguments = parser.parse_args()
    results = {}
    for n in arguments.candidates:
        with tempfile.TemporaryDirectory() as folder:
            results[n] = measure(Path(folder), n, arguments.audits)
    print(json.dumps(results))


def measure(folder: Path, n: int, n_audits: int) -> dict[str, Cost]:
    """Return the costs of each step on `n` candidates."""
    run, none = folder / "run", folder / "none.csv"
    (folder / "candidates").mkdir()
    truth = write_candidates(folder / "candidates", n)
    none.write_text("image_id,label_id,verdict\n")
    select = ["select", str(run), "--keep"]
    steps = {
        "import": ["audit", "import", str(run), str(none), "--candidates", f"{folder}/candidates"],
        "sample": ["audit", "sample", str(run), "-o", f"audit.n={n_audits}"],
        "answers": ["audit", "import", str(run), str(run / "audit-sheet.csv")],
        "select": [*select, "0.333"],
        "select again": [*select, "0.5"],
    }
    costs = {}
    for name, command in steps.items():
        if name == "answers":
            fill_in(run / "audit-sheet.csv", truth)
        costs[name] = cost_of(command)
        print(f"{n:,} {name:<13}{json.dumps(costs[name])}", flush=True)
    return costs


def cost_of(command: list[str]) -> Cost:
    """Run winnow and return what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *command], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"winnow {' '.join(command)} failed")
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "wall_s": round(time.perf_counter() - started, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def write_candidates(folder: Path, n: int) -> pa.Table:
    """Write about `n` candidates as Parquet files, and return the right ones."""
    rng, right = np.random.default_rng(0), [TRUTH.empty()]
    for number, start in enumerate(range(0, n, PER_FILE)):
        part, is_right = make_candidates(min(PER_FILE, n - start) // PER_IMAGE, rng)
        pq.write_table(part, folder / f"{number:05}.parquet", compression="zstd")
        right.append(part.select(TRUTH.arrow.names).filter(pa.array(is_right)))
    return pa.concat_tables(right)


def make_candidates(
    n_images: int, rng: np.random.Generator
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the candidates of some images, and which are right."""
    n = n_images * PER_IMAGE
    first = (rng.zipf(1.2, n_images).astype(np.float64) - 1) % N_LABELS
    # Labels of an image are apart by steps of 1 to 99, so that they are distinct.
    steps = np.cumsum(rng.integers(0, 100, (n_images, PER_IMAGE)) + 1, axis=1)
    label = (first[:, None].astype(np.int64) + steps).ravel() % N_LABELS
    is_right = rng.random(n) < P_RIGHT
    voted = rng.random((n, len(SOURCES))) < P_VOTE[is_right.astype(np.int64)]
    without = np.flatnonzero(~voted.any(axis=1))
    voted[without, rng.integers(0, len(SOURCES), len(without))] = True
    silent = (rng.random(voted.shape) < P_SILENT) & ~voted
    n_votes = int(voted.sum())
    votes = pa.StructArray.from_arrays(
        [
            _names(voted),
            pa.array(rng.random(n_votes).astype(np.float32)),
            pa.array(rng.integers(1, 5, n_votes).astype(np.int32)),
            pa.array(np.ones(n_votes, np.int32)),
        ],
        fields=list(EVIDENCE_ITEM),
    )
    images = from_halves(rng.integers(0, 2**63, (n_images, 2)).astype(np.uint64) * np.uint64(2))
    columns = {
        "image_id": images.take(pa.array(np.repeat(np.arange(n_images), PER_IMAGE))),
        "label_id": pa.array([f"l{i:05}" for i in range(N_LABELS)]).take(pa.array(label)),
        "evidence": _listed(voted, votes),
        "silent": _listed(silent, _names(silent)),
        "ambiguity": pa.array((1 + label % 3).astype(np.int16)),
    }
    return pa.table(columns).cast(CANDIDATES.arrow), is_right


def _names(mask: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(SOURCES).take(pa.array(np.nonzero(mask)[1]))


def _listed(mask: npt.NDArray[np.bool_], values: pa.Array) -> pa.Array:
    ends = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)


def fill_in(sheet: Path, truth: pa.Table) -> None:
    """Answer the pairs of a sheet by the truth."""
    with sheet.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs = pa.table({name: [row[name] for row in rows] for name in TRUTH.arrow.names})
    for row, number in zip(rows, find_pairs(pairs, truth), strict=True):
        row["verdict"] = "yes" if number >= 0 else "no"
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
