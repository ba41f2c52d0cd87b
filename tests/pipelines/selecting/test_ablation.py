from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from curation.audits.audits import answer, sample
from curation.runs.stage import current, open_stage
from curation.scoring.features import features
from pipelines.cli import main
from tests.curation.worlds import cold_scores, make_world

WORLD = make_world(400, seed=5)


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run whose last source is a network that is mostly right, with a selection."""
    table = features(WORLD.candidates, WORLD.taxonomy)
    audits = answer(sample(table.pairs, cold_scores(table), 400, 0), WORLD.truth)
    pq.write_table(WORLD.candidates, tmp_path / "candidates.parquet")
    pq.write_table(audits, tmp_path / "audits.parquet")
    strength = np.random.default_rng(0).normal(size=len(WORLD.candidates)) + 4 * WORLD.correct
    votes = WORLD.candidates.select(["image_id", "label_id"]).to_pandas()
    votes = votes.assign(source="network", strength=strength)
    votes.to_csv(tmp_path / "votes.csv", index=False)
    given = ("--candidates", tmp_path / "candidates.parquet")
    winnow("audit", "import", tmp_path / "run", tmp_path / "audits.parquet", *given)
    winnow("evidence", "add", tmp_path / "run", tmp_path / "votes.csv")
    assert winnow("select", tmp_path / "run").exit_code == 0
    return tmp_path / "run"


def test_the_source_that_decides_is_missed_most(run: Path) -> None:
    plain = winnow("report", run)
    assert "What each source adds" not in (run / "report.html").read_text()
    assert current(run, "ablation") is None, plain.output
    result = winnow("report", run, "--ablate", "--figures", run.parent / "figures")
    assert result.exit_code == 0, result.output
    facts = json.loads((run / "report.json").read_text())["ablation"]
    proved = {row["source"]: row["proved"] for row in facts["sources"]}
    assert facts["target"] == 0.9
    assert facts["proved"] - proved.pop("network") > 0.1
    assert min(proved.values()) > facts["proved"] - 0.1
    assert "without <bdi>network" in (run / "report.html").read_text()
    assert (run.parent / "figures" / "ablation.svg").is_file()
    first = open_stage(run, "ablation").dir
    assert winnow("report", run, "--ablate").exit_code == 0
    assert open_stage(run, "ablation").dir == first
    removed = winnow("evidence", "remove", run, "network")
    assert removed.exit_code == 0
    winnow("select", run)
    assert "next: winnow report --ablate" in winnow("status", run).output
    winnow("report", run)
    assert "ablation" not in json.loads((run / "report.json").read_text())


def test_a_run_without_scores_is_refused(tmp_path: Path) -> None:
    pq.write_table(WORLD.candidates, tmp_path / "candidates.parquet")
    (tmp_path / "none.csv").write_text("image_id,label_id,verdict\n")
    given = ("--candidates", tmp_path / "candidates.parquet")
    winnow("audit", "import", tmp_path / "run", tmp_path / "none.csv", *given)
    refused = winnow("report", tmp_path / "run", "--ablate")
    assert refused.exit_code == 3 and "winnow select" in refused.output, refused.output
