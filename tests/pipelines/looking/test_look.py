from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from curation.intervals.judgements import judgements
from curation.pairs.pair_keys import find_pairs
from curation.runs.durable import file_digest, write_text
from curation.runs.sealed import seal
from curation.runs.stage import current, open_stage
from labeling.schemas import AUDITS, CANDIDATES, REJECTS, SELECTED, VOTES
from pipelines.cli import main
from pipelines.delivery.truth import read_truth
from pipelines.evidence.add import files_of
from pipelines.looking.disagreements import disagreements
from pipelines.run.config import read_config
from pipelines.run.saved_config import load_config, save_config
from pipelines.run.stages import taxonomy_of
from training.data.loader import MEAN, STD
from training.model.architecture import Architecture
from training.model.model_file import ModelCard, save_model
from training.model.resnet import ResNet


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Write a model of random weights, whose features are mostly of colours."""
    torch.manual_seed(0)
    card = ModelCard(Architecture(18, 16, "small"), ("a", "b"), 16, MEAN, STD, 0, {})
    (tmp_path / "random").mkdir()
    save_model(tmp_path / "random", ResNet(card.architecture, 2).state_dict(), card)
    return tmp_path / "random"


@pytest.fixture
def run(shop: Path, selected: Path) -> Path:
    """Return a run with audits and a selection."""
    save_config(read_config(shop), selected)
    return selected


def _votes(run: Path) -> dict[str, np.ndarray]:
    """Return the strength of each candidate by source, in the order of the candidates."""
    pairs = open_stage(run, "candidates").table(CANDIDATES)
    votes = open_stage(run, "look").table(VOTES)
    strengths = {}
    for source in ("neighbours", "visual"):
        of = votes.filter(pc.equal(votes["source"], source))
        strengths[source] = np.asarray(of["strength"])[find_pairs(pairs, of)]
    return strengths


def _right(run: Path) -> np.ndarray:
    candidates = open_stage(run, "candidates")
    path = Path(load_config(run).base) / "truth.csv"
    truth = read_truth(path, taxonomy_of(candidates))
    return find_pairs(candidates.table(CANDIDATES), truth) >= 0


def _gap(strength: np.ndarray, right: np.ndarray) -> float:
    """Return how often a right candidate has more strength than a wrong one."""
    return float((strength[right][:, None] > strength[~right][None, :]).mean())


def test_networks_that_are_trained_here_know_right_candidates(run: Path) -> None:
    result = winnow("look", run, "-o", "train.steps=90")
    assert result.exit_code == 0, result.output
    assert "5 networks (ResNet-18, width 8, 16 px) of 90 steps" in result.output
    first, *_ = result.stderr.splitlines()
    assert first.startswith("look: 160 images, 5 networks") and "to decode them" in first
    votes, right = _votes(run), _right(run)
    gaps = {source: _gap(strength, right) for source, strength in votes.items()}
    assert gaps["visual"] > 0.9 and gaps["neighbours"] > 0.6, gaps
    (file,) = files_of(open_stage(run, "evidence"))
    assert file["name"] == "look" and {*file["sources"]} == {"neighbours", "visual"}
    assert winnow("select", run).exit_code == 0


def test_a_network_from_elsewhere_gives_features(shop: Path, run: Path, weights: Path) -> None:
    result = winnow("look", run, "--weights", weights)
    assert result.exit_code == 0, result.output
    votes, right = _votes(run), _right(run)
    assert _gap(votes["neighbours"], right) > 0.8
    first = open_stage(run, "look")
    assert winnow("look", run, "--weights", weights).exit_code == 0
    assert open_stage(run, "look").dir == first.dir  # its own evidence does not count


def test_verdicts_of_a_fold_do_not_reach_its_votes(shop: Path, run: Path, weights: Path) -> None:
    assert winnow("look", run, "--weights", weights).exit_code == 0
    before = _votes(run)
    audits = open_stage(run, "audits")
    table = audits.table(AUDITS)
    image = table["image_id"][0].as_py()
    turned = pc.if_else(pc.equal(table["verdict"], "yes"), "no", "yes")
    of_image = pc.equal(table["image_id"], image)
    verdict = pc.if_else(of_image, turned, table["verdict"])
    path = shop.parent / "turned.parquet"
    number = table.column_names.index("verdict")
    pq.write_table(table.set_column(number, AUDITS.arrow.field("verdict"), verdict), path)
    assert winnow("audit", "import", run, path).exit_code == 0
    assert f"next: winnow look {run} --weights {weights}" in winnow("status", run).output
    assert winnow("evidence", "remove", run, "visual", "neighbours").exit_code == 0
    assert f"next: winnow select {run}" in winnow("status", run).output
    assert winnow("look", run, "--weights", weights).exit_code == 0
    after = _votes(run)
    pairs = open_stage(run, "candidates").table(CANDIDATES)
    of_pair = np.asarray(pc.equal(pairs["image_id"], image), bool)
    for source in before:
        assert np.array_equal(before[source][of_pair], after[source][of_pair])
        assert not np.array_equal(before[source], after[source])


def test_images_that_cannot_be_decoded_are_counted_and_not_covered(
    shop: Path, run: Path, weights: Path
) -> None:
    images = shop.parent / "images"
    (images / "3.jpg").unlink()
    (images / "4.jpg").write_bytes(b"no image")
    settings = ("-o", f"base={shop.parent}")
    result = winnow("look", run, "--weights", weights, *settings)
    assert result.exit_code == 0, result.output
    stage = open_stage(run, "look")
    assert stage.counts["dropped"] == {"content_changed": 1, "image_missing": 1}
    assert len(stage.table(REJECTS)) == 2
    assert stage.counts["in"] == stage.counts["out"] + 2


@pytest.mark.parametrize("missing", ["images", "audits"])
def test_a_run_without_images_or_audits_is_refused(
    shop: Path, labelled: Path, weights: Path, missing: str
) -> None:
    save_config(read_config(shop), labelled)
    settings = ["-o", "audit.truth="] if missing == "audits" else []
    if missing == "images":
        for path in (shop.parent / "images").iterdir():
            path.unlink()
        settings = ["-o", f"base={shop.parent}"]
    result = winnow("look", labelled, "--weights", weights, *settings)
    assert result.exit_code == 3, result.output
    expected = {
        "images": "the stage look would be empty",
        "audits": "the run has no audits",
    }
    assert expected[missing] in result.output
    assert current(labelled, "look") is None and current(labelled, "evidence") is None


def test_the_report_shows_what_people_and_the_network_judge_otherwise(
    run: Path, weights: Path
) -> None:
    assert winnow("look", run, "--weights", weights).exit_code == 0
    assert winnow("select", run).exit_code == 0
    selected = open_stage(run, "selected").table(SELECTED)
    judged = judgements(open_stage(run, "audits").table(AUDITS), selected)
    rows = disagreements(run, selected, judged)
    right = _right(run)
    assert right[rows["doubted_right"]].all() and not right[rows["trusted_wrong"]].any()
    votes = open_stage(run, "look").table(VOTES)
    visual = votes.filter(pc.equal(votes["source"], "visual"))
    strength = np.asarray(visual["strength"])[find_pairs(selected, visual)]
    assert (np.diff(strength[rows["doubted_right"]]) >= 0).all()
    assert (np.diff(strength[rows["trusted_wrong"]]) <= 0).all()
    assert winnow("report", run).exit_code == 0
    page = (run / "report.html").read_text("utf-8")
    assert "Judged right, and least likely by the network" in page


def test_images_that_are_back_are_looked_at(shop: Path, run: Path, weights: Path) -> None:
    image = shop.parent / "images" / "3.jpg"
    content = image.read_bytes()
    image.unlink()
    settings = ("-o", f"base={shop.parent}")
    result = winnow("look", run, "--weights", weights, *settings)
    assert "1 not: image_missing" in result.output
    n_images = open_stage(run, "look").counts["out"]
    assert f"{n_images} images, 1 image_missing" in winnow("status", run).output
    image.write_bytes(content)
    assert winnow("look", run, "--weights", weights, *settings).exit_code == 0
    assert open_stage(run, "look").counts["dropped"] == {}
    assert open_stage(run, "look").counts["out"] == n_images + 1


def test_a_folder_without_the_images_is_forgotten(
    shop: Path, run: Path, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "void").mkdir()
    refused = winnow("look", run, "--weights", weights, "-o", f"base={tmp_path / 'void'}")
    assert refused.exit_code == 3 and "image_missing" in refused.output
    result = winnow("look", run, "--weights", weights, "-o", f"base={shop.parent}")
    assert result.exit_code == 0, result.output
    assert open_stage(run, "look").counts["dropped"] == {}


def test_the_model_of_a_run_is_named_by_its_folder(run: Path, weights: Path) -> None:
    made = run / "model" / "0123456789ab"
    made.mkdir(parents=True)
    manifest = {"stage": "model", "fingerprint": made.name, "winnow": "0", "seed": 0}
    manifest |= {"inputs": {}, "config": {}, "counts": {}, "facts": {}, "files": [], "run": {}}
    write_text(made / "manifest.json", seal(manifest))
    for path in weights.iterdir():
        path.rename(made / path.name)
    digest = file_digest(made / "manifest.json")
    (run / "model" / "CURRENT").write_text(f"{made.name} {digest}\n")
    result = winnow("look", run, "--weights", run / "model")
    assert result.exit_code == 0, result.output
    assert open_stage(run, "look").facts["network"] == made.name


def test_weights_that_cannot_be_used_are_refused_at_once(run: Path, tmp_path: Path) -> None:
    mistyped = winnow("look", run, "--weights", "efficientnet-lite9")
    assert mistyped.exit_code == 3 and 'did you mean "efficientnet-lite2"?' in mistyped.output
    network = ResNet(Architecture(18, 8, "small"), 2).state_dict()
    network["conv1.weight"][:] = torch.nan
    save_file(network, tmp_path / "nan.safetensors")
    damaged = winnow("look", run, "--weights", tmp_path / "nan.safetensors")
    assert damaged.exit_code == 3, damaged.output
    assert "the features of a network are not finite" in damaged.output


def test_a_signal_by_the_name_of_a_network_is_refused_before_the_work(
    shop: Path, tmp_path: Path, weights: Path
) -> None:
    text = shop.read_text("utf-8").replace('source = "caption"', 'source = "visual"')
    shop.write_text(text, "utf-8")
    run = tmp_path / "named"
    assert winnow("label", shop, "--out", run).exit_code == 0
    result = winnow("look", run, "--weights", weights)
    assert result.exit_code == 3 and "`winnow look` votes under these names" in result.output
    assert current(run, "look") is None
