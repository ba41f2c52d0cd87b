from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from curation.audits.audits import answer, sample
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import current, open_stage
from curation.scoring.features import features, sources_of
from labeling.schemas import CANDIDATES, REJECTS, SELECTED
from labeling.taxonomy.published import read_taxonomy
from pipelines.cli import main
from pipelines.evidence.votes_file import read_votes_file
from tests.curation.worlds import cold_scores, make_world

WORLD = make_world(250, seed=5)
PAIRS = WORLD.candidates.select(["image_id", "label_id"])
HEADER = "image_id,label_id,source,strength"


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Import the world's candidates with 300 audits; return the run folder."""
    table = features(WORLD.candidates, WORLD.taxonomy)
    audits = answer(sample(table.pairs, cold_scores(table), 300, 0), WORLD.truth)
    pq.write_table(WORLD.candidates, tmp_path / "candidates.parquet")
    pq.write_table(audits, tmp_path / "audits.parquet")
    lines = [
        f'{{"id": "{label_id}", "names": ["{name}"], "parents": []}}'
        for label_id, name in [*zip(WORLD.taxonomy.label_ids, _names(), strict=True)]
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    result = winnow(
        *("audit", "import", tmp_path / "run", tmp_path / "audits.parquet"),
        *("--candidates", tmp_path / "candidates.parquet", "--taxonomy", tmp_path / "labels.jsonl"),
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def _names() -> list[str]:
    """Return a name of each label: two of them share one."""
    return ["twin" if code < 2 else f"thing {code}" for code in range(len(WORLD.taxonomy))]


def write_votes(path: Path, strength: np.ndarray, source: str = "network") -> Path:
    table = PAIRS.append_column("source", pa.array([source] * len(PAIRS)))
    pq.write_table(table.append_column("strength", pa.array(strength)), path)
    return path


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


def facts(run: Path) -> list[dict[str, Any]]:
    return list(open_stage(run, "evidence").facts["files"])


def share_right(run: Path) -> float:
    stage = open_stage(run, "selected")
    kept = stage.table(SELECTED).filter(pa.compute.field("kept"))
    return float((find_pairs(kept, WORLD.truth) >= 0).mean())


def test_a_source_that_is_mostly_right_improves_the_selection(run: Path, tmp_path: Path) -> None:
    winnow("select", run)
    before = share_right(run)
    strength = np.random.default_rng(0).normal(size=len(PAIRS)) + 3 * WORLD.correct
    added = winnow("evidence", "add", run, write_votes(tmp_path / "votes.parquet", strength))
    assert added.exit_code == 0, added.output
    winnow("select", run)
    assert share_right(run) > before + 0.08


def test_each_row_that_is_not_used_is_counted_with_its_reason(run: Path, tmp_path: Path) -> None:
    code, image, label = next(
        (WORLD.taxonomy.code(row["label_id"]), row["image_id"], row["label_id"])
        for row in PAIRS.to_pylist()
        if WORLD.taxonomy.code(row["label_id"]) > 1
    )
    of_image = {row["label_id"] for row in PAIRS.to_pylist() if row["image_id"] == image}
    other = min({*WORLD.taxonomy.label_ids} - of_image)
    path = write_lines(
        tmp_path / "votes.csv",
        f"{image},{label},clip,0.25",
        f"{image.upper()},THING {code},clip,7e3",
        f"{image},{other},clip,1",
        f"{'0' * 32},{label},clip,1",
        f"cat.jpg,{label},clip,1",
        f"{image},no such thing,clip,1",
        f"{image},Twin,clip,1",
        f"{image},{label},,1",
        f"{image},{label},clip,nan",
        f"{image},{label},clip,1e400",
        f"{image},{label},clip,much",
        f"{image},{label}",
    )
    result = winnow("evidence", "add", run, path)
    assert result.exit_code == 0, result.output
    (file,) = facts(run)
    assert file["dropped"] == {
        "unknown_image": 2,
        "unknown_label": 1,
        "ambiguous_name": 1,
        "bad_source": 1,
        "bad_strength": 3,
        "bad_row": 1,
        "repeated": 1,
        "not_candidate": 1,
    }
    assert (file["in"], file["out"]) == (12, 1)
    rejects = open_stage(run, "evidence").table(REJECTS).to_pylist()
    assert {"where": "votes.csv:10", "reason": "bad_strength", "value": "nan"} in rejects
    assert "of 12 rows not used: " in result.output and "3 bad_strength" in result.output


def test_sources_are_listed_replaced_and_removed(run: Path, tmp_path: Path) -> None:
    first_votes = write_votes(tmp_path / "one.parquet", np.arange(len(PAIRS)), "one")
    two = write_votes(tmp_path / "two.parquet", np.arange(len(PAIRS)), "two")
    winnow("evidence", "add", run, first_votes)
    winnow("evidence", "add", run, two)
    first = open_stage(run, "evidence")
    assert {"one", "two"} <= {*sources_of(first.table(CANDIDATES))}
    listed = winnow("evidence", "list", run).output
    assert f"one: votes on {len(PAIRS):,} of {len(PAIRS):,} candidates" in listed

    other = write_votes(tmp_path / "other.parquet", -np.arange(len(PAIRS)), "one")
    assert "replaced" in winnow("evidence", "add", run, other).output
    assert [file["name"] for file in facts(run)] == ["two.parquet", "other.parquet"]
    assert winnow("evidence", "remove", run, "one").exit_code == 0
    winnow("evidence", "add", run, first_votes)
    assert open_stage(run, "evidence").content == first.content

    assert winnow("evidence", "remove", run, "one", "two").exit_code == 0
    assert open_stage(run, "evidence").manifest["files"] == []
    assert "no evidence was added" in winnow("evidence", "list", run).output
    refused = winnow("evidence", "remove", run, "one")
    assert refused.exit_code == 3 and 'no evidence of "one" was added' in refused.output


def test_rejects_are_those_of_the_files_that_are_left(run: Path, tmp_path: Path) -> None:
    image, label = (PAIRS[name][0].as_py() for name in ("image_id", "label_id"))
    good = f"{image},{label},clip,1"
    path, other = tmp_path / "votes.csv", tmp_path / "other" / "votes.csv"
    other.parent.mkdir()
    winnow("evidence", "add", run, write_lines(path, good, f"cat.jpg,{label},clip,1"))
    bad = f"dog.jpg,{label},tags,1"
    winnow("evidence", "add", run, write_lines(other, good.replace("clip", "tags"), bad))
    assert open_stage(run, "evidence").table(REJECTS)["value"].to_pylist() == ["cat.jpg", "dog.jpg"]
    winnow("evidence", "add", run, write_lines(path, good))
    assert open_stage(run, "evidence").table(REJECTS)["value"].to_pylist() == ["dog.jpg"]
    winnow("evidence", "remove", run, "tags")
    assert REJECTS.name not in "".join(
        file["name"] for file in open_stage(run, "evidence").manifest["files"]
    )


def test_strengths_that_differ_by_little_keep_their_order(run: Path, tmp_path: Path) -> None:
    strengths = [1e300, 1e39, 16777217, 16777216, 1e-46, -0.0, -1e-46]
    rows = PAIRS.slice(0, len(strengths)).to_pylist()
    lines = [
        f"{row['image_id']},{row['label_id']},clip,{strength!r}"
        for row, strength in zip(rows, strengths, strict=True)
    ]
    assert winnow("evidence", "add", run, write_lines(tmp_path / "v.csv", *lines)).exit_code == 0
    evidence = open_stage(run, "evidence").table(CANDIDATES)["evidence"].slice(0, len(rows))
    of_clip = [
        item["strength"] for of in evidence.to_pylist() for item in of if item["source"] == "clip"
    ]
    assert len({*of_clip}) == len(rows) and of_clip == sorted(of_clip, reverse=True)


def test_an_id_in_another_case_is_read_as_a_name(tmp_path: Path) -> None:
    names = [{"id": "apple", "names": ["apple"]}, {"id": "company", "names": ["Apple"]}]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, names)))
    image = "0" * 32
    path = write_lines(tmp_path / "v.csv", f"{image},apple,clip,1", f"{image},Apple,clip,1")
    read = read_votes_file(path, read_taxonomy(tmp_path / "labels.jsonl"), pa.array([image]))
    assert read.votes.label.tolist() == [0]
    assert read.rejects["reason"].to_pylist() == ["ambiguous_name"]


def test_the_selection_is_outdated_by_other_evidence(run: Path, tmp_path: Path) -> None:
    winnow("select", run)
    without = open_stage(run, "selected").content
    winnow("evidence", "add", run, write_votes(tmp_path / "v.parquet", 1.0 * WORLD.correct))
    assert "selected of this run were made from other evidence" in winnow("report", run).output
    assert "next: winnow select" in winnow("status", run).output
    winnow("select", run)
    assert open_stage(run, "selected").content != without
    winnow("evidence", "remove", run, "network")
    assert "made from other evidence" in winnow("report", run).output
    assert winnow("select", run).exit_code == 0
    assert open_stage(run, "selected").content == without


def test_damaged_evidence_can_be_removed(run: Path, tmp_path: Path) -> None:
    winnow("evidence", "add", run, write_votes(tmp_path / "v.parquet", 1.0 * WORLD.correct))
    path = open_stage(run, "evidence").table_paths(CANDIDATES)[0]
    path.write_bytes(path.read_bytes()[:-1])
    refused = winnow("select", run)
    assert refused.exit_code != 0 and str(path) in refused.output
    removed = winnow("evidence", "remove", run, "network")
    assert removed.exit_code == 0, removed.output
    assert "no evidence was added" in winnow("evidence", "list", run).output


def test_the_order_of_the_rows_does_not_matter(run: Path, tmp_path: Path) -> None:
    strength = np.random.default_rng(1).normal(size=len(PAIRS))
    path = write_votes(tmp_path / "v.parquet", strength)
    winnow("evidence", "add", run, path)
    before = [path.read_bytes() for path in open_stage(run, "evidence").table_paths(CANDIDATES)]
    order = np.random.default_rng(2).permutation(len(PAIRS))
    pq.write_table(pq.read_table(path).take(pa.array(order)), path)
    winnow("evidence", "add", run, path)
    after = [path.read_bytes() for path in open_stage(run, "evidence").table_paths(CANDIDATES)]
    assert after == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0" * 32 + ",r0,clip,1", "the stage evidence would be empty, although 1 rows went in"),
        (f"{PAIRS['image_id'][0]},r0,alt,1", 'the source "alt" voted when the candidates'),
        ("", "a file of votes has no rows"),
        (
            "\n".join(f"{PAIRS['image_id'][0]},r0,{number},1" for number in range(300)),
            "a file of votes has too many sources",
        ),
    ],
)
def test_a_file_without_use_is_refused(run: Path, tmp_path: Path, line: str, message: str) -> None:
    result = winnow("evidence", "add", run, write_lines(tmp_path / "votes.csv", line))
    assert result.exit_code == 3 and message in result.output
    assert current(run, "evidence") is None


def test_evidence_on_earlier_candidates_is_refused_removed_and_added_again(
    run: Path, tmp_path: Path
) -> None:
    votes = write_votes(tmp_path / "v.parquet", 1.0 * WORLD.correct)
    winnow("evidence", "add", run, votes)
    pq.write_table(WORLD.candidates.slice(0, 1000), tmp_path / "fewer.parquet")
    fewer = tmp_path / "fewer.parquet"
    audits = PAIRS.slice(0, 200).append_column("verdict", pa.array(["yes", "no"] * 100))
    pq.write_table(audits, tmp_path / "few.parquet")
    imported = winnow(
        *("audit", "import", run, tmp_path / "few.parquet", "--candidates", fewer),
        *("--taxonomy", tmp_path / "labels.jsonl"),
    )
    assert imported.exit_code == 0, imported.output
    refused = winnow("select", run)
    assert refused.exit_code == 3
    assert "the evidence that was added is about earlier candidates" in refused.output
    removed = winnow("evidence", "remove", run, "network")
    assert removed.exit_code == 0
    assert winnow("status", run).exit_code == 0
    winnow("evidence", "add", run, write_votes(tmp_path / "v.parquet", 1.0 * WORLD.correct))
    assert open_stage(run, "evidence").counts["candidates"] == 1000
