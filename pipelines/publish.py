"""`winnow export` and `evaluate`: from the selection to shards, and what a model is worth."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
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


def export(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Write the shards of a label set, or reuse them where nothing has changed."""
    candidates = open_stage(run_dir, "candidates")
    chosen = open_stage(run_dir, "selected")
    signals = open_stage(run_dir, "signals")
    name = stage_name("shards", label_set)
    inputs = {stage.name: stage.content for stage in (signals, candidates, chosen)}
    settings = {"label_set": label_set, **config.export.model_dump(mode="json")}
    with step(name) as facts:
        if reuse(run_dir, name, inputs=inputs, config=settings) is None:
            with staged(run_dir, name, inputs=inputs, config=settings) as work:
                counts = export_shards(
                    _label_set(chosen, label_set),
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
                card = {**_card_facts(chosen, label_set), **work.counts}
                write_card(card | {"short_side": config.export.short_side}, work.dir)
        stage = open_stage(run_dir, name)
        facts.append(
            f"{stage.counts['train']:,} images with {stage.counts['labels_kept']:,} labels to train"
            f" on, {stage.counts['heldout']:,} held out, {stage.counts['shards']} shards"
        )
    return stage


def evaluate(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Measure the model of a label set on the held-out images whose truth is known."""
    from training.evaluate import by_frequency
    from training.evaluate import evaluate as measure

    if config.evaluate.truth is None:
        raise ConfigError(
            "there is nothing to evaluate against: evaluate.truth is not set",
            help="name a table of image_id, label_id: -o evaluate.truth=truth.csv",
        )
    path = Path(config.base) / config.evaluate.truth
    candidates = open_stage(run_dir, "candidates")
    chosen = open_stage(run_dir, "selected")
    shards = open_stage(run_dir, stage_name("shards", label_set))
    model = open_stage(run_dir, stage_name("model", label_set))
    name = stage_name("evaluation", label_set)
    inputs = {stage.name: stage.content for stage in (candidates, chosen, shards, model)}
    inputs[config.evaluate.truth] = file_digest(path) if path.is_file() else ""
    with step(name) as facts:
        if reuse(run_dir, name, inputs=inputs, config={}) is None:
            taxonomy = taxonomy_of(candidates)
            truth = read_truth(path, taxonomy)
            n_kept = _labels_kept(chosen, label_set, taxonomy)
            groups = {**by_frequency(n_kept), **_by_level(n_kept, taxonomy)}
            with staged(run_dir, name, inputs=inputs, config={}) as work:
                by_image: dict[str, list[str]] = defaultdict(list)
                for image_id, label_id in zip(*truth.to_pydict().values(), strict=True):
                    by_image[image_id].append(label_id)
                paths = shards.paths(".tar", "heldout-")
                work.facts |= dict(measure(model.dir, paths, by_image, groups))
                text = json.dumps(work.facts, indent=1)
                (work.dir / "measures.json").write_text(text + "\n", encoding="utf-8")
        stage = open_stage(run_dir, name)
        facts.append(f"mAP {stage.manifest['facts']['map']:.4f}")
        facts.append(f"{stage.manifest['facts']['n_images']:,} held-out images")
    return stage


def _card_facts(chosen: Stage, label_set: str) -> dict[str, Any]:
    """Return what a card tells of the selection; the other label sets are none."""
    if label_set != "selected":
        return {}
    n_kept, n = chosen.counts["out"], chosen.counts["in"]
    counts = {"candidates": n, "kept": n_kept, "kept_share": n_kept / max(n, 1)}
    return {**chosen.manifest["facts"], **counts}


def _label_set(chosen: Stage, label_set: str) -> pa.Table:
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
    pairs = _label_set(chosen, label_set)
    kept = pairs.filter(pairs["kept"]).select(["image_id", "label_id"])
    counts = pc.value_counts(with_labels_above(kept, taxonomy)["label_id"])
    return {entry["values"]: entry["counts"] for entry in counts.to_pylist()}


def _by_level(label_ids: Iterable[str], taxonomy: Taxonomy) -> dict[str, list[str]]:
    """Return the labels of each level; level 0 has nothing above."""
    result = defaultdict(list)
    for label_id in label_ids:
        result[f"level_{taxonomy.level[taxonomy.code(label_id)]}"].append(label_id)
    return dict(sorted(result.items()))
