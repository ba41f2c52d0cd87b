"""Pairs that only added sources name: apart from the candidates at every step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import Stage, current, open_stage
from labeling.schemas import CANDIDATES, IMAGES, VOTES
from pipelines.cli import main
from pipelines.delivery.truth import read_truth
from pipelines.evidence.proposals import proposals_of, selected_proposals
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config
from pipelines.run.stages import taxonomy_of
from tests.pipelines.shops import COLOURS

PAIR = ["image_id", "label_id"]


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def run(shop: Path, selected: Path) -> Path:
    """Return a run with audits and a selection."""
    save_config(read_config(shop), selected)
    return selected


def write_votes(run: Path, path: Path, source: str = "clip") -> Path:
    """Write a vote on each image for each colour: strong where it is right, with some noise."""
    images = open_stage(run, "signals").table(IMAGES)["image_id"].to_pylist()
    pairs = pa.table([[i for i in images for _ in COLOURS], [*COLOURS] * len(images)], names=PAIR)
    truth = read_truth(path.parent / "truth.csv", taxonomy_of(open_stage(run, "candidates")))
    right = find_pairs(pairs, truth) >= 0
    strength = right + np.random.default_rng(0).normal(0, 0.4, len(right))
    votes = pairs.append_column("source", pa.array([source] * len(pairs)))
    pq.write_table(votes.append_column("strength", pa.array(strength)), path)
    return path


def tables(stage: Stage) -> dict[str, bytes]:
    """Return the bytes of the Parquet files of a stage."""
    return {path.name: path.read_bytes() for path in stage.paths(".parquet")}


def plain(result: Result) -> str:
    return result.output.replace("\N{NO-BREAK SPACE}", " ")


def test_proposals_change_nothing_of_the_candidates(run: Path, shop: Path) -> None:
    votes = write_votes(run, shop.parent / "votes.parquet")
    assert winnow("evidence", "add", run, votes).exit_code == 0
    assert winnow("select", run).exit_code == 0
    assert proposals_of(run) is None
    names = ("evidence", "audits", "scored", "selected")
    before = {name: tables(open_stage(run, name)) for name in names}
    facts = open_stage(run, "selected").facts
    added = winnow("evidence", "add", run, votes, "--propose")
    assert added.exit_code == 0, added.output
    assert winnow("select", run).exit_code == 0
    assert {name: tables(open_stage(run, name)) for name in names} == before
    assert open_stage(run, "selected").facts == facts


def test_proposals_are_the_pairs_that_are_not_candidates(run: Path, shop: Path) -> None:
    votes = write_votes(run, shop.parent / "votes.parquet")
    winnow("evidence", "add", run, votes, "--propose")
    stage = open_stage(run / "proposals", "candidates")
    proposed, given = stage.table(CANDIDATES), pq.read_table(votes)
    candidates = open_stage(run, "candidates").table(CANDIDATES, PAIR)
    expected = given.filter(pa.array(find_pairs(given, candidates) < 0))
    assert (find_pairs(proposed, candidates) < 0).all()
    assert (find_pairs(expected, proposed) >= 0).all() and len(expected) == len(proposed)
    assert {item["source"] for row in proposed["evidence"].to_pylist() for item in row} == {"clip"}
    text = f"proposals: {len(proposed):,} pairs that only clip names, apart from the candidates"
    for command in (("status", run), ("evidence", "list", run), ("select", run)):
        assert text in winnow(*command).output, command


def test_two_sources_propose_and_removal_takes_what_is_left_without(run: Path, shop: Path) -> None:
    winnow("evidence", "add", run, write_votes(run, shop.parent / "a.parquet"), "--propose")
    n_before = open_stage(run / "proposals", "candidates").counts["candidates"]
    other = pq.read_table(shop.parent / "a.parquet").slice(0, 40)
    sources = pa.array(["vendor"] * len(other))
    pq.write_table(other.set_column(2, "source", sources), shop.parent / "b.parquet")
    winnow("evidence", "add", run, shop.parent / "b.parquet", "--propose")
    table = open_stage(run / "proposals", "candidates").table(CANDIDATES)
    n_votes = pc.list_value_length(table["evidence"]).to_pylist()
    assert len(table) == n_before and {*n_votes} == {1, 2}
    assert winnow("evidence", "remove", run, "clip").exit_code == 0
    left = open_stage(run / "proposals", "candidates").table(CANDIDATES)
    assert 0 < len(left) < n_before
    assert winnow("evidence", "remove", run, "vendor").exit_code == 0
    assert proposals_of(run) is None
    assert "proposals" not in winnow("status", run).output


def test_a_file_of_proposals_alone_is_taken_with_the_option(run: Path, shop: Path) -> None:
    votes = pq.read_table(write_votes(run, shop.parent / "votes.parquet"))
    candidates = open_stage(run, "candidates").table(CANDIDATES, PAIR)
    path = shop.parent / "new.parquet"
    pq.write_table(votes.filter(pa.array(find_pairs(votes, candidates) < 0)), path)
    assert winnow("evidence", "add", run, path).exit_code == 3
    assert winnow("evidence", "add", run, path, "--propose").exit_code == 0
    assert proposals_of(run) is not None
    assert winnow("select", run).exit_code == 0


def test_kept_proposals_are_exported_with_a_promise_of_their_own(run: Path, shop: Path) -> None:
    winnow("evidence", "add", run, write_votes(run, shop.parent / "votes.parquet"), "--propose")
    winnow("select", run)
    assert winnow("export", run).exit_code == 0
    alone = open_stage(run, "shards").counts
    strong = pq.read_table(shop.parent / "votes.parquet").filter(pc.field("strength") > 0.3)
    strong.select(PAIR).to_pandas().to_csv(shop.parent / "seen.csv", index=False)
    options = ("-o", "select.keep=0.2", "-o", "audit.truth=seen.csv")
    picked = winnow("select", run / "proposals", *options)
    assert picked.exit_code == 0, picked.output
    assert "stale: shards: other proposals are selected" in winnow("status", run).output
    exported = winnow("export", run)
    assert exported.exit_code == 0, exported.output
    counts = open_stage(run, "shards").counts
    assert counts["labels_proposed"] > 5
    assert counts["labels_kept"] == alone["labels_kept"] + counts["labels_proposed"]
    facts = selected_proposals(run).facts  # type: ignore[union-attr]
    stated = f"{100 * facts['precision']:.1f} %"
    card = (open_stage(run, "shards").dir / "README.md").read_text()
    sentence = r"Apart from these, [\d,]+ labels are proposed, which only clip names; \d+ of them"
    assert re.search(sentence, card) and stated in card.replace("\N{NO-BREAK SPACE}", " ")
    assert winnow("report", run).exit_code == 0
    written = json.loads((run / "report.json").read_text())
    assert written["proposals"]["kept"] == selected_proposals(run).counts["out"]  # type: ignore[union-attr]
    assert written["precision"] == pytest.approx(
        open_stage(run, "selected").facts["precision"], abs=1e-5
    )
    assert all(step["n"] >= 0 for step in written["funnel"])
    assert re.search(sentence, (run / "report.html").read_text())
    its_report = winnow("report", run / "proposals")
    assert its_report.exit_code == 0, its_report.output


def test_a_network_proposes_what_it_sees(run: Path, shop: Path) -> None:
    small = ("-o", "train.steps=90")
    before = winnow("look", run, *small)
    assert before.exit_code == 0, before.output
    evidence = tables(open_stage(run, "evidence"))
    assert proposals_of(run) is None
    looked = winnow("look", run, *small, "--propose", "0.4")
    assert looked.exit_code == 0, looked.output
    assert tables(open_stage(run, "evidence")) == evidence
    stage = open_stage(run / "proposals", "candidates")
    proposed = stage.table(CANDIDATES)
    truth = read_truth(shop.parent / "truth.csv", taxonomy_of(stage))
    colours = proposed.filter(pc.is_in(proposed["label_id"], value_set=pa.array([*COLOURS])))
    right = find_pairs(colours, truth) >= 0
    assert len(colours) > 5 and right.mean() > 0.6, (len(colours), right.mean())
    assert stage.facts["sources"] == ["visual"]
    votes = open_stage(run, "look").table(VOTES)
    candidates = open_stage(run, "candidates").table(CANDIDATES, PAIR)
    beyond = votes.filter(pa.array(find_pairs(votes, candidates) < 0))
    assert len(beyond) == len(proposed)
    assert winnow("evidence", "remove", run, "visual", "neighbours").exit_code == 0
    assert proposals_of(run) is None


def test_proposals_of_other_candidates_count_no_more(run: Path, shop: Path) -> None:
    winnow("evidence", "add", run, write_votes(run, shop.parent / "votes.parquet"), "--propose")
    (shop.parent / "links.csv").write_text("src,dst\n")
    (shop.parent / "feedback.csv").write_text(
        "event_id,image,label,query,kind,user,position,time\n"
    )
    before = open_stage(run, "candidates").content
    assert winnow("label", shop, "--out", run).exit_code == 0
    assert open_stage(run, "candidates").content != before
    assert proposals_of(run) is None
    assert current(run / "proposals", "candidates") is not None


def test_a_probability_outside_of_its_range_is_refused(run: Path) -> None:
    assert winnow("look", run, "--propose", "1").exit_code == 2
    assert winnow("look", run, "-o", "look.propose=0").exit_code == 2
