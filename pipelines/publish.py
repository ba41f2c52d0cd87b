"""`winnow export` and `evaluate`: from the selection to shards, and what a model is worth."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.card import write_card
from curation.images import ImageLimits
from curation.manifest import Stage, file_digest, open_stage, reuse, staged
from curation.selection import random_share
from curation.shards import ExportSettings, export_shards
from labeling.errors import ConfigError
from labeling.schemas import CANDIDATES, IMAGES, SCORED, SELECTED
from labeling.taxonomy import Taxonomy
from pipelines.config import Config
from pipelines.stages import stage_name, taxonomy_of
from pipelines.talk import step
from pipelines.truth import read_truth, with_labels_above


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Which candidates of a run are labels.

    Attributes
    ----------
    name
        As in the names of stages.
    made_from
        Stages that it follows from.
    settings
        Settings that it follows from.
    pairs
        Returns the table of `labeling.schemas.SELECTED`.
    told
        What the dataset card tells of it.
    """

    name: str
    made_from: tuple[Stage, ...]
    settings: Mapping[str, Any]
    pairs: Callable[[], pa.Table]
    told: Mapping[str, Any]


def export(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Write the shards of a label set, or reuse them where nothing has changed."""
    return export_labels(config, run_dir, run_dir, label_set_of(run_dir, label_set))


def label_set_of(run_dir: Path, name: str) -> LabelSet:
    """Return the selected labels of a run, ``all`` candidates, or as many drawn at ``random``."""
    chosen = open_stage(run_dir, "selected")
    return LabelSet(name, (chosen,), {}, partial(_pairs, chosen, name), _card_facts(chosen, name))


def export_labels(config: Config, run_dir: Path, out_dir: Path, labels: LabelSet) -> Stage:
    """Write the shards of labels into the run's folder or another, or reuse them."""
    candidates = open_stage(run_dir, "candidates")
    signals = open_stage(run_dir, "signals")
    name = stage_name("shards", labels.name)
    inputs, settings = shards_made_from(config, run_dir, labels)
    with step(name) as facts:
        if reuse(out_dir, name, inputs=inputs, config=settings) is None:
            with staged(out_dir, name, inputs=inputs, config=settings) as work:
                counts = export_shards(
                    labels.pairs(),
                    candidates.table(CANDIDATES),
                    signals.table(IMAGES),
                    taxonomy_of(candidates),
                    Path(config.base),
                    work.dir,
                    ExportSettings(
                        config.export.shard_mb,
                        config.export.holdout_share,
                        ImageLimits(short_side=config.export.short_side),
                    ),
                )
                work.counts |= counts.as_manifest()
                card = {**labels.told, **work.counts}
                write_card(card | {"short_side": config.export.short_side}, work.dir)
        stage = open_stage(out_dir, name)
        facts.append(
            f"{stage.counts['train']:,} images with {stage.counts['labels_kept']:,} labels to train"
            f" on, {stage.counts['heldout']:,} held out, {stage.counts['shards']} shards"
        )
    return stage


def shards_made_from(
    config: Config, run_dir: Path, labels: LabelSet
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the inputs and settings of shards, as their fingerprint holds them."""
    stages = (open_stage(run_dir, "signals"), open_stage(run_dir, "candidates"), *labels.made_from)
    exported = config.export.model_dump(mode="json")
    inputs = {stage.name: stage.content for stage in stages}
    return inputs, {"label_set": labels.name, **labels.settings, **exported}


def evaluate(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Measure the model of a label set on the held-out images whose truth is known."""
    from training.evaluate import by_frequency
    from training.evaluate import evaluate as measure

    path = truth_path(config)
    candidates = open_stage(run_dir, "candidates")
    chosen = open_stage(run_dir, "selected")
    shards = open_stage(run_dir, stage_name("shards", label_set))
    model = open_stage(run_dir, stage_name("model", label_set))
    name = stage_name("evaluation", label_set)
    inputs = {stage.name: stage.content for stage in (candidates, chosen, shards, model)}
    inputs[str(config.evaluate.truth)] = file_digest(path) if path.is_file() else ""
    with step(name) as facts:
        if reuse(run_dir, name, inputs=inputs, config={}) is None:
            taxonomy = taxonomy_of(candidates)
            n_kept = _labels_kept(chosen, label_set, taxonomy)
            groups = {**by_frequency(n_kept), **_by_level(n_kept, taxonomy)}
            with staged(run_dir, name, inputs=inputs, config={}) as work:
                truth = true_labels(path, taxonomy)
                paths = shards.paths(".tar", "heldout-")
                work.facts |= dict(measure(model.dir, paths, truth, groups))
                text = json.dumps(work.facts, indent=1)
                (work.dir / "measures.json").write_text(text + "\n", encoding="utf-8")
        stage = open_stage(run_dir, name)
        facts.append(f"mAP {stage.manifest['facts']['map']:.4f}")
        facts.append(f"{stage.manifest['facts']['n_images']:,} held-out images")
    return stage


def truth_path(config: Config) -> Path:
    """Return where the truth of the held-out images stands; `ConfigError` if it is not set."""
    if config.evaluate.truth is None:
        raise ConfigError(
            "there is nothing to evaluate against: evaluate.truth is not set",
            help="name a table of image_id, label_id: -o evaluate.truth=truth.csv",
        )
    return Path(config.base) / config.evaluate.truth


def true_labels(path: Path, taxonomy: Taxonomy) -> Mapping[str, list[str]]:
    """Return all true labels of each image that a table knows, those above included."""
    by_image: dict[str, list[str]] = defaultdict(list)
    for image_id, label_id in zip(*read_truth(path, taxonomy).to_pydict().values(), strict=True):
        by_image[image_id].append(label_id)
    return by_image


def _card_facts(chosen: Stage, label_set: str) -> dict[str, Any]:
    """Return what a card tells of the selection; the other label sets are none."""
    if label_set != "selected":
        return {}
    n_kept, n = chosen.counts["out"], chosen.counts["in"]
    counts = {"candidates": n, "kept": n_kept, "kept_share": n_kept / max(n, 1)}
    return {**chosen.manifest["facts"], **counts}


def _pairs(chosen: Stage, label_set: str) -> pa.Table:
    """Return which candidates are labels: the selected ones, all, or as many drawn at random.

    Unselected labels carry no posterior: each is taken at its word, with a target of 1.
    """
    selected = chosen.table(SELECTED)
    if label_set == "selected":
        return selected
    n_kept = pc.sum(selected["kept"]).as_py() or 0
    share = 1.0 if label_set == "all" else n_kept / len(selected)
    taken = random_share(selected.select(SCORED.arrow.names), share, seed=0).table
    ones = pa.array(np.ones(len(taken), np.float32))
    return taken.set_column(taken.column_names.index("p_correct"), SELECTED.arrow.field(2), ones)


def _labels_kept(chosen: Stage, label_set: str, taxonomy: Taxonomy) -> dict[str, int]:
    """Return how many images have each label of a label set, counting the labels above."""
    pairs = _pairs(chosen, label_set)
    kept = pairs.filter(pairs["kept"]).select(["image_id", "label_id"])
    counts = pc.value_counts(with_labels_above(kept, taxonomy)["label_id"])
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}


def _by_level(label_ids: Iterable[str], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Return the labels of each level; level 0 has nothing above."""
    result = defaultdict(list)
    for label_id in label_ids:
        result[f"level_{taxonomy.level[taxonomy.code(label_id)]}"].append(label_id)
    return dict(sorted(result.items()))
