"""Speed of the index that the audit page browses, on synthetic candidates.

    python tests/benchmarks/browsing.py [--candidates N]

10 million candidates of 10,000 labels, the most frequent of which has a quarter, with 2,000 audits.
Building is timed, and what each view asks for, 10 to 300 times: milliseconds at the 95th
percentile, without HTTP and JSON. The largest label and the label with most below it are timed by
themselves.
Peak memory is that of the whole process, most of it for building. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.intervals.judgements import Judgements
from curation.selection.selection import Request
from labeling.keys.ids import from_halves
from labeling.schemas import CANDIDATES, SCORED
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy
from pipelines.browsing.arrays import write_pairs
from pipelines.browsing.blocks import write_blocks
from pipelines.browsing.build import Stages
from pipelines.browsing.index import Index
from pipelines.browsing.labels import SORTED_BY, LabelTable

N_LABELS, N_AUDITS = 10_000, 2000
PER_IMAGE, TEXTS = 3, 4
PER_FILE = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the index of the audit page.")
    parser.add_argument("--candidates", type=int, default=10_000_000)
    n = parser.parse_args().candidates
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "pairs-0", "evidence-0"):
            (Path(folder) / name).mkdir()
        result = measure(Path(folder), n // PER_IMAGE * PER_IMAGE)
    print(json.dumps(result))


def measure(folder: Path, n: int) -> dict[str, Any]:
    """Build an index in a folder and time it."""
    taxonomy = make_taxonomy()
    request, reason = make_request(n, taxonomy)
    write_tables(folder / "tables", request.scored)
    started = time.perf_counter()
    evidence = folder / "evidence-0"
    for name, columns in TABLES.items():
        paths = sorted((folder / "tables").glob(f"{name}-*"))
        write_blocks(evidence / f"{name}.arrow", paths, columns)
    write_pairs(request, reason, taxonomy, folder / "pairs-0")
    build_s = time.perf_counter() - started
    del request
    sizes = [
        path.stat().st_size
        for name in ("pairs-0", "evidence-0")
        for path in (folder / name).iterdir()
    ]
    return {
        "candidates": n,
        "build_s": round(build_s, 1),
        "bytes_per_candidate": round(sum(sizes) / n),
        "p95_ms": time_views(open_index(folder, taxonomy)),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def make_taxonomy() -> Taxonomy:
    """Return labels of which each has ten below it."""
    return build_taxonomy(
        [
            Label(
                f"l{i:05}", ((f"label {i}", "en"),), parents=(f"l{i // 10:05}",) if i >= 10 else ()
            )
            for i in range(N_LABELS)
        ]
    )


def make_request(n: int, taxonomy: Taxonomy) -> tuple[Request, pa.ChunkedArray]:
    """Return a request of scored candidates in the order of their images, and their reasons."""
    rng = np.random.default_rng(0)
    halves = np.sort(rng.integers(0, 2**63, n // PER_IMAGE, dtype=np.uint64))
    images = np.stack([halves, np.arange(len(halves), dtype=np.uint64)], axis=1)
    p = rng.random(n).astype(np.float32)
    code = np.minimum(rng.zipf(1.3, n) - 1, N_LABELS - 1)
    scored = pa.table(
        {
            "image_id": from_halves(np.repeat(images, PER_IMAGE, axis=0)),
            "label_id": pa.array(taxonomy.label_ids).take(pa.array(code)),
            "p_correct": p,
        },
        SCORED.arrow,
    )
    row = np.sort(rng.choice(n, N_AUDITS, replace=False))
    correct, stratum = rng.random(N_AUDITS) < p[row], (p * 9.99).astype(np.int8)
    judged = Judgements(row, correct, np.full(N_AUDITS, N_AUDITS / n), stratum, n / N_AUDITS)
    limits: dict[str, Any] = {"by": None, "floor": 20, "per_image": None, "per_label": None}
    nothing = {"taxonomy": lambda: taxonomy, "evidence": list}
    request = Request(
        scored, judged, keep=1 / 3, precision=None, confidence=0.95, **limits, **nothing
    )
    reason = np.where(p >= np.quantile(p, 2 / 3), "kept", "below_threshold")
    return request, pa.chunked_array([pa.array(reason)])


TABLES = {
    "evidence": ["label_id", "evidence", "silent"],
    "locations": ["location"],
    "texts": ["source", "text"],
}


def write_tables(folder: Path, scored: pa.Table) -> None:
    """Write candidates, images and texts of a run as Parquet files."""
    size = PER_FILE // PER_IMAGE * PER_IMAGE
    for number, start in enumerate(range(0, len(scored), size)):
        part = scored.slice(start, size).combine_chunks()
        images = part["image_id"].take(pa.array(np.arange(0, len(part), PER_IMAGE)))
        votes = [
            {"source": source, "strength": 0.5, "n_pages": 1, "n_hosts": 1}
            for source in ("alt", "title")
        ]
        evidence = pa.array([votes], CANDIDATES.arrow.field("evidence").type)
        some = pa.array(np.zeros(len(part), np.int64))
        texts = [f"a picture of the thing number {i} and its place" for i in range(len(images))]
        repeated = pa.array(np.repeat(np.arange(len(images)), TEXTS))
        tables = {
            "evidence": {
                "image_id": part["image_id"],
                "label_id": part["label_id"],
                "evidence": evidence.take(some),
                "silent": pa.array([["caption"]]).take(some),
            },
            "locations": {
                "image_id": images,
                "location": [
                    f"site/host-{i % 997}.example/images/{i}.jpg" for i in range(len(images))
                ],
            },
            "texts": {
                "image_id": images.take(repeated),
                "source": ["alt", "title", "caption", "filename"] * len(images),
                "text": pa.array(texts).take(repeated),
            },
        }
        for name, columns in tables.items():
            pq.write_table(
                pa.table(columns), folder / f"{name}-{number:05}.parquet", compression="zstd"
            )


def open_index(folder: Path, taxonomy: Taxonomy) -> Index:
    """Return the index that was built."""
    candidates = SimpleNamespace(table=lambda schema: taxonomy.to_table())
    stages = SimpleNamespace(
        of_pairs=Path("pairs-0"),
        of_evidence=Path("evidence-0"),
        signals=True,
        candidates=candidates,
    )
    return Index(folder, cast(Stages, stages))


def time_views(index: Index) -> dict[str, float]:
    """Return the milliseconds at the 95th percentile of what each view asks for."""
    rng, pairs, table = (
        np.random.default_rng(1),
        index.pairs,
        LabelTable(index.pairs, index.taxonomy),
    )
    size = np.diff(pairs.start)
    largest = int(pairs.labels[np.argmax(size)])
    labels = rng.choice(pairs.labels, 60, replace=False).tolist()
    numbers = rng.integers(0, len(pairs.p), 300).tolist()

    def image(number: int) -> None:
        image_id = index.image_id(number)
        index.file(image_id)
        index.labels_of_image(image_id)
        index.texts_of_image(image_id)

    def pairs_of(label: int) -> None:
        scope = index.scope(label, False)
        for number in scope.numbers(np.arange(min(48, scope.size))).tolist():
            index.pair(number)

    def tune(label: int, is_subtree: bool = False) -> None:
        scope = index._scope(label, is_subtree)
        scope.tuning()
        scope.edges(67)

    pages = [
        (name, falls, text, few, 0)
        for name in SORTED_BY
        for falls in (True, False)
        for text in ("", "7")
        for few in (True, False)
    ]
    return {
        "labels": p95(lambda asked: table.page(*asked), pages),
        "pairs of a label": p95(pairs_of, labels),
        "an image": p95(image, numbers),
        "tune a label": p95(tune, labels),
        "tune the largest label": p95(tune, [largest] * 10),
        "tune the largest subtree": p95(lambda label: tune(label, True), [0] * 10),
    }


def p95(view: Callable[[Any], object], asked: Iterable[Any]) -> float:
    """Return the milliseconds at the 95th percentile."""
    times = []
    for each in asked:
        started = time.perf_counter()
        view(each)
        times.append(1000 * (time.perf_counter() - started))
    return round(float(np.quantile(times, 0.95)), 1)


if __name__ == "__main__":
    main()
