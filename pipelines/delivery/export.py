"""`winnow export`: from the selection to shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import StageWriter, refuse_nothing, reuse, write_stage
from curation.selection.selection import random_share
from curation.shards.card import write_card
from curation.shards.images import BAD_IMAGE_REASONS, ImageLimits
from curation.shards.samples import RESTORABLE_REASONS, is_any_restored
from curation.shards.shards import export_shards
from labeling.schemas import CANDIDATES, IMAGES, REJECTS, SCORED, SELECTED
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.progress import stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import stage_name, taxonomy_of


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
    return LabelSet(
        name, (chosen,), {}, partial(label_pairs, chosen, name), _card_facts(chosen, name)
    )


def export_labels(config: Config, run_dir: Path, out_dir: Path, labels: LabelSet) -> Stage:
    """Write the shards of labels into the run's folder or another, or reuse them."""
    candidates = open_stage(run_dir, "candidates")
    signals = open_stage(run_dir, "signals")
    name = stage_name("shards", labels.name)
    inputs, settings = shards_made_from(config, run_dir, labels)
    limits = ImageLimits(short_side=config.export.short_side)
    with stage_line(name) as facts:
        earlier = reuse(out_dir, name, inputs=inputs, config=settings)
        if earlier is None or _is_any_restored(earlier, signals, find_input(config), limits):
            with write_stage(out_dir, name, inputs=inputs, config=settings) as work:
                work.counts |= export_shards(
                    labels.pairs(),
                    candidates.table(CANDIDATES),
                    signals.table(IMAGES),
                    taxonomy_of(candidates),
                    find_input(config),
                    work.dir,
                    shard_mb=config.export.shard_mb,
                    holdout_share=config.export.holdout_share,
                    limits=limits,
                )
                _refuse_no_images(name, work, config.base)
                card = {**labels.told, **work.counts}
                write_card(card | {"short_side": config.export.short_side}, work.dir)
        stage = open_stage(out_dir, name)
        facts.append(
            f"{stage.counts['train']:,} images with {stage.counts['labels_kept']:,} labels to train"
            f" on, {stage.counts['heldout']:,} held out, {stage.counts['shards']} shards"
        )
        facts += [f"{n:,} dropped: {reason}" for reason, n in _bad_images(stage.counts)]
    return stage


def _is_any_restored(shards: Stage, signals: Stage, data_dir: Path, limits: ImageLimits) -> bool:
    """Return whether an image that the shards lack because it was not there is there now."""
    if not any(shards.counts["dropped"].get(reason) for reason in RESTORABLE_REASONS):
        return False
    return is_any_restored(shards.table(REJECTS), signals.table(IMAGES), data_dir, limits)


def _bad_images(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return how many images are in no shard by a fault of their own, by reason."""
    return [(reason, n) for reason, n in counts["dropped"].items() if reason in BAD_IMAGE_REASONS]


def _refuse_no_images(name: str, work: StageWriter, base: str) -> None:
    """Raise `InputError` if no image is left to train on."""
    (path,) = work.dir.glob("rejects-*.parquet")
    first = pq.read_table(path, columns=["value"])["value"].slice(0, 1).to_pylist()
    counts = work.counts | {"out": work.counts["train"]}
    facts = {"held out": work.counts["heldout"], "data folder": base}
    if first:
        facts["first that cannot be read"] = first[0]
    refuse_nothing(
        name,
        counts,
        facts,
        "name the folder where the images are now with -o base=FOLDER, and keep the labels of more"
        " images than are held out",
    )


def shards_made_from(
    config: Config, run_dir: Path, labels: LabelSet
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the inputs and settings of shards, as their fingerprint holds them."""
    stages = (open_stage(run_dir, "signals"), open_stage(run_dir, "candidates"), *labels.made_from)
    inputs = {stage.name: stage.content for stage in stages}
    exported = settings_of("shards", config)
    return inputs, {"label_set": labels.name, **labels.settings, **exported, "card": labels.told}


def _card_facts(chosen: Stage, label_set: str) -> dict[str, Any]:
    """Return what a card tells of the selection; the other label sets are none."""
    if label_set != "selected":
        return {}
    n_kept, n = chosen.counts["out"], chosen.counts["in"]
    counts = {"candidates": n, "kept": n_kept, "kept_share": n_kept / max(n, 1)}
    return {**chosen.manifest["facts"], **counts}


def label_pairs(chosen: Stage, label_set: str) -> pa.Table:
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
