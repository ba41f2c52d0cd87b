"""`winnow evaluate` without another task: a model against the truth of the held-out images."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.compute as pc

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import StageWriter
from labeling.errors import ConfigError
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.export import read_labels
from pipelines.delivery.truth import read_truth, with_labels_above
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of
from pipelines.run.progress import stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import contents, make_stage, stage_name, taxonomy_of


def evaluate(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Measure the model of a label set on the held-out images whose truth is known."""
    from training.evaluation.evaluate import by_frequency
    from training.evaluation.evaluate import evaluate as measure

    path = truth_path(config)
    shards = open_stage(run_dir, stage_name("shards", label_set))
    model = open_stage(run_dir, stage_name("model", label_set))
    candidates, selected = open_stage(run_dir, "candidates"), open_stage(run_dir, "selected")
    name = stage_name("evaluation", label_set)
    inputs = contents(candidates, selected, shards, model) | digests_of("evaluation", config)

    def write(work: StageWriter) -> None:
        taxonomy = taxonomy_of(candidates)
        n_kept = _labels_kept(selected, label_set, taxonomy)
        groups = {**by_frequency(n_kept), **_by_level(n_kept, taxonomy)}
        paths = shards.paths(".tar", "heldout-")
        work.facts |= dict(measure(model.dir, paths, true_labels(path, taxonomy), groups))
        text = json.dumps(work.facts, indent=1)
        (work.dir / "measures.json").write_text(text + "\n", encoding="utf-8")

    with stage_line(name) as facts:
        stage = make_stage(run_dir, name, write, inputs=inputs, config={})
        facts.append(f"mAP {stage.facts['map']:.4f}")
        facts.append(f"{stage.facts['n_images']:,} held-out images")
    return stage


def truth_path(config: Config) -> Path:
    """Return the file with the truth of the held-out images.

    Raises
    ------
    ConfigError
        If it is not set.
    InputError
        If it is missing.
    """
    if config.evaluate.truth is None:
        raise ConfigError(
            "there is nothing to evaluate against: evaluate.truth is not set",
            help='name a table of image_id, label_id: `settings={"evaluate.truth": "truth.csv"}`',
        )
    return find_input(config, config.evaluate.truth)


def true_labels(path: Path, taxonomy: Taxonomy) -> Mapping[str, list[str]]:
    """Return all true labels of each image that a table knows, those above included."""
    by_image: dict[str, list[str]] = defaultdict(list)
    for image_id, label_id in zip(*read_truth(path, taxonomy).to_pydict().values(), strict=True):
        by_image[image_id].append(label_id)
    return by_image


def _labels_kept(selected: Stage, label_set: str, taxonomy: Taxonomy) -> dict[str, int]:
    """Return how many images have each label of a label set, counting the labels above."""
    labels = read_labels(selected, label_set)
    kept = labels.filter(labels["kept"]).select(["image_id", "label_id"])
    counts = pc.value_counts(with_labels_above(kept, taxonomy)["label_id"])
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}


def _by_level(label_ids: Iterable[str], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Return the labels of each level; those of level 0 have no parent."""
    labels = defaultdict(list)
    for label_id in label_ids:
        labels[f"level_{taxonomy.level[taxonomy.code(label_id)]}"].append(label_id)
    return dict(sorted(labels.items()))
