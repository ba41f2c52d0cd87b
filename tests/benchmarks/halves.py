"""Quality of the labels of one half of real images, learnt from audits of the other half.

    python tests/benchmarks/halves.py --data FOLDER [--seeds N]

FOLDER holds ``fashion_dev.tar.gz`` and ``flickr8k_dev.tar``. `winnow label` runs on all images; a
seeded hash of the image cuts them in halves. Audits are drawn among the candidates of the first,
with as many seeds as asked. Precision and recall are stated of the best third and tenth of the
second half's candidates, recall over all true labels of its images, and how far off its
probabilities are (expected calibration error); the interval of the best third and tenth of the
first half, where the audits are, is compared with the truth.

- Fashion: the recipe (`docs/recipes/fashion.toml`). Naive: by the weight of the own title, then by
  the share of neighbouring pages.
- Flickr8k: caption 0 as alt text, the queries a photo was shown for, the votes, and links between
  the photo and the one that a query was written for where any vote was yes. A noun is true where
  two of captions 1 to 4 name it. Candidates are those of the judged photos. A query that was
  written for the photo itself is one of these captions and is left out, and so are the texts of
  links. Naive: by the share of yes plus whether caption 0 names it.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from calibration_error import expected_calibration_error

from curation.audits.audits import answer, bands, sample
from curation.audits.verdicts import usable_audits
from curation.intervals.precision import precision_interval
from curation.pairs.pair_keys import find_pairs, image_hash, pair_hash
from curation.scoring.features import FeatureTable, features
from curation.scoring.parts import Pool, parts_of_table, pool_of_parts
from curation.scoring.scoring import score
from labeling.keys import ids
from labeling.matching.matcher import compile_matcher
from labeling.matching.texts import match_texts
from labeling.schemas import CANDIDATES, TRUTH
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.truth import read_truth
from pipelines.jobs.label import label
from pipelines.run.config import Config, check_config, read_config
from pipelines.run.stages import taxonomy_of

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPES = ROOT / "docs" / "recipes"
HALF_SEED = 20
"""Another hash than that of the folds."""

N_AUDITS = (500, 2000)
PARTS = {"third": 1 / 3, "tenth": 0.1}

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Result = dict[str, float]


@dataclass(frozen=True, eq=False)
class Case:
    """Candidates in the order of ``table``, which of them are right, and a naive ranking's keys."""

    table: FeatureTable
    pool: Pool
    right: Flags
    truth: pa.Table
    naive: tuple[Floats, ...]

    @property
    def stated(self) -> Flags:
        """Return the mask of the candidates of the second half."""
        return second_half(self.table.pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn from a half of the images, state another.")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("WINNOW_DATA"),
        help="folder of fashion_dev.tar.gz, flickr8k_dev.tar; by default $WINNOW_DATA",
    )
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    result: Result = {}
    for name, read in (("fashion", read_fashion), ("flickr", read_flickr)):
        with tempfile.TemporaryDirectory() as folder:
            case = read(arguments.data, Path(folder))
        result |= measure(name, case, arguments.seeds)
    print(json.dumps({key: round(float(value), 4) for key, value in result.items()}))


def second_half(pairs: pa.Table) -> Flags:
    """Return which pairs are of images whose results are stated."""
    halves: Flags = image_hash(pairs["image_id"], HALF_SEED) % np.uint64(2) == 1
    return halves


def measure(name: str, case: Case, n_seeds: int) -> Result:
    """Print and return how good each ranking of the second half is."""
    stated, cold = case.stated, case.pool.cold
    n_true = int(second_half(case.truth).sum())
    result = show(
        name,
        [
            {
                "candidates": float(stated.sum()),
                "precision_of_all": float(case.right[stated].mean()),
                "recall_of_all": case.right[stated].sum() / n_true,
            }
        ],
    )
    rankings: dict[str, tuple[Floats, ...]] = {
        "naive": case.naive,
        "votes": (case.table.column("n_votes").astype(np.float64),),
        "cold": (cold,),
    }
    for method, keys in rankings.items():
        result |= show(f"{name}_{method}", [ranked(case, keys, stated, n_true)])
    for n in N_AUDITS:
        runs = [learn(case, cold, n, seed, n_true) for seed in range(n_seeds)]
        result |= show(f"{name}_winnow_{n}", runs)
    return result


def learn(case: Case, cold: Floats, n: int, seed: int, n_true: int) -> Result:
    """Learn from audits of the first half; return what that makes of both."""
    stated, pairs = case.stated, case.table.pairs
    asked = np.flatnonzero(~stated)
    drawn = sample(pairs.take(pa.array(asked)), cold[asked], n, seed, kind=case.pool.kind[asked])
    audits = answer(drawn, case.truth)
    p = score(case.table, audits).p_correct.astype(np.float64)
    measures = ranked(case, (p,), stated, n_true)
    measures["calibration_error"] = expected_calibration_error(p[stated], case.right[stated])
    for part, share in PARTS.items():
        kept = best(case, (p,), ~stated, share)
        low, high = interval_of(case, audits, cold, kept)
        measures[f"covered_{part}"] = float(low <= case.right[kept].mean() <= high)
        measures[f"width_{part}"] = high - low
    return measures


def interval_of(
    case: Case, audits: pa.Table, cold: Floats, kept: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Return the interval of the precision of kept candidates of the first half."""
    asked = np.flatnonzero(~case.stated)
    band = np.zeros(len(cold), np.int64)
    band[asked] = bands(case.table.pairs.take(pa.array(asked)), cold[asked])
    judged = usable_audits(audits)
    row = find_pairs(judged, case.table.pairs)
    inside = np.isin(row, kept)
    interval = precision_interval(
        np.asarray(pc.equal(judged["verdict"], "yes"), bool)[inside],
        judged["p_inclusion"].to_numpy()[inside],
        stratum=band[row[inside]],
        n_kept=np.bincount(band[kept], minlength=10),
    )
    return interval.low, interval.high


def ranked(case: Case, keys: tuple[Floats, ...], among: Flags, n_true: int) -> Result:
    measures: Result = {}
    for part, share in PARTS.items():
        right = case.right[best(case, keys, among, share)]
        measures |= {f"precision_{part}": right.mean(), f"recall_{part}": right.sum() / n_true}
    return measures


def best(case: Case, keys: tuple[Floats, ...], among: Flags, share: float) -> npt.NDArray[np.int64]:
    """Return the rows of a share of some candidates, ties by the pair's hash."""
    rows = np.flatnonzero(among)
    hashes = pair_hash(case.table.pairs)[rows]
    order = np.lexsort((hashes, *(-key[rows] for key in reversed(keys))))
    return rows[order[: round(share * len(rows))]]


def show(name: str, runs: list[Result]) -> Result:
    """Print the means over runs, with the least and the most of several; return the means."""
    result: Result = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs], np.float64)
        result[f"{name}_{key}"] = float(values.mean())
        spread = f"   {values.min():.4f} to {values.max():.4f}" if len(runs) > 1 else ""
        print(f"{name:19} {key:17} {values.mean():10.4f}{spread}", flush=True)
    return result


def read_fashion(data: Path, folder: Path) -> Case:
    prepare = [sys.executable, RECIPES / "fashion.py", data / "fashion_dev.tar.gz", folder / "data"]
    subprocess.run(prepare, check=True, capture_output=True)
    config = read_config(RECIPES / "fashion.toml")
    config = config.model_copy(update={"base": str(folder / "data")})
    candidates, taxonomy = candidates_of(config, folder / "run")
    truth = read_truth(folder / "data" / "truth.csv", taxonomy)
    table = features(candidates, taxonomy)
    naive = (table.column("alt.strength"), table.column("linked.strength"))
    right = find_pairs(table.pairs, truth) >= 0
    pool = pool_of_parts(parts_of_table(candidates), taxonomy)
    return Case(table, pool, right, truth, tuple(key.astype(np.float64) for key in naive))


def read_flickr(data: Path, folder: Path) -> Case:
    with tarfile.open(data / "flickr8k_dev.tar") as tar:
        tar.extractall(folder, filter="data")
    photos = list(read_lines(folder / "flickr8k" / "images.jsonl"))
    votes = [
        vote
        for vote in read_lines(folder / "flickr8k" / "crowd_judgments.jsonl")
        if vote["query_source_image"] != vote["image"]
    ]
    config = write_flickr(folder, photos, votes)
    candidates, taxonomy = candidates_of(config, folder / "run")
    image_of = {
        photo["image"]: ids.digest((folder / "flickr8k/images" / photo["image"]).read_bytes())
        for photo in photos
    }
    judged = pa.array(sorted({image_of[vote["image"]] for vote in votes}))
    truth = nouns_of(photos, image_of, taxonomy)
    truth = truth.filter(pc.is_in(truth["image_id"], value_set=judged))
    candidates = candidates.filter(pc.is_in(candidates["image_id"], value_set=judged))
    table = features(candidates, taxonomy)
    shown = share_of_yes(votes, image_of, table.pairs, taxonomy)
    naive = shown + table.voted[:, table.sources.index("alt")]
    pool = pool_of_parts(parts_of_table(candidates), taxonomy)
    return Case(table, pool, find_pairs(table.pairs, truth) >= 0, truth, (naive,))


def candidates_of(config: Config, run_dir: Path) -> tuple[pa.Table, Taxonomy]:
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        stage = label(config, run_dir)
    return stage.table(CANDIDATES), taxonomy_of(stage)


def write_flickr(folder: Path, photos: list[Any], votes: list[Any]) -> Config:
    """Write the tables of a job; return its configuration."""
    nouns = json.loads((folder / "flickr8k" / "vocab_suggested.json").read_text("utf-8"))
    lines = [json.dumps({"id": n["label"].replace(" ", "-"), "names": n["names"]}) for n in nouns]
    (folder / "taxonomy.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    write_csv(
        folder / "captions.csv",
        ("image", "text", "page"),
        [(place_of(p["image"]), p["captions"][0], page_of(p["image"])) for p in photos],
    )
    queries = sorted({(v["image"], v["query"]) for v in votes})
    write_csv(
        folder / "queries.csv",
        ("image", "text", "page"),
        [(place_of(image), query, page_of(image)) for image, query in queries],
    )
    linked = {(v["image"], v["query_source_image"]) for v in votes if v["yes"]}
    edges = sorted((a, b) for a, b in linked if b is not None)
    write_csv(folder / "links.csv", ("src", "dst"), [(page_of(a), page_of(b)) for a, b in edges])
    answers = [(v, kind) for v in votes for kind in ["up"] * v["yes"] + ["down"] * v["no"]]
    write_csv(
        folder / "votes.csv",
        ("event_id", "image", "query", "kind", "user", "time"),
        [(n, place_of(v["image"]), v["query"], kind, n, 0) for n, (v, kind) in enumerate(answers)],
    )
    columns = {"image": "image", "text": "text", "page": "page"}
    names = ("event_id", "image", "query", "kind", "user", "time")
    content = {
        "base": str(folder),
        "taxonomy": {"path": "taxonomy.jsonl"},
        "signals": [
            {"path": "captions.csv", "source": "alt", "columns": columns},
            {"path": "queries.csv", "source": "query", "columns": columns},
        ],
        "links": [{"path": "links.csv"}],
        "feedback": [{"path": "votes.csv", "columns": {name: name for name in names}}],
    }
    return check_config(content, "flickr8k")


def nouns_of(photos: list[Any], image_of: dict[str, str], taxonomy: Taxonomy) -> pa.Table:
    """Return the nouns that two of captions 1 to 4 name."""
    matcher = compile_matcher(taxonomy)
    others = [named([p["captions"][k] for p in photos], matcher) for k in range(1, 5)]
    pairs, times = np.unique(np.concatenate(others), axis=0, return_counts=True)
    image = [image_of[photos[row]["image"]] for row in pairs[times >= 2, 0]]
    columns = {"image_id": image, "label_id": names_of(taxonomy, pairs[times >= 2, 1])}
    return pa.table(columns).cast(TRUTH.arrow)


def share_of_yes(
    votes: list[Any], image_of: dict[str, str], pairs: pa.Table, taxonomy: Taxonomy
) -> Floats:
    """Return the share of yes among the votes on queries that name the pair's noun, 0 without."""
    vote, noun = named([vote["query"] for vote in votes], compile_matcher(taxonomy)).T
    image = [image_of[votes[row]["image"]] for row in vote]
    row = find_pairs(
        pa.table({"image_id": image, "label_id": names_of(taxonomy, noun)}).cast(TRUTH.arrow), pairs
    )
    known, n = row >= 0, pairs.num_rows
    yes, no = (np.array([v[kind] for v in votes])[vote[known]] for kind in ("yes", "no"))
    n_yes, n_no = (np.bincount(row[known], count, n) for count in (yes, no))
    share: Floats = n_yes / np.maximum(n_yes + n_no, 1)
    return share


def named(texts: list[str], matcher: Any) -> npt.NDArray[np.int64]:
    """Return each (text, label) once."""
    matches = match_texts(matcher, pa.chunked_array([texts]))
    return np.unique(np.stack([matches.row, matches.label], axis=1).astype(np.int64), axis=0)


def names_of(taxonomy: Taxonomy, codes: npt.NDArray[np.int64]) -> list[str]:
    return [taxonomy.label_ids[code] for code in codes]


def place_of(image: str) -> str:
    return f"flickr8k/images/{image}"


def page_of(image: str) -> str:
    return f"https://photos.example/{image}"


def read_lines(path: Path) -> Iterator[Any]:
    yield from (json.loads(line) for line in path.read_text("utf-8").splitlines())


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
