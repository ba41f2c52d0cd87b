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
from curation.runs.staging import StageWriter, refuse_nothing
from curation.shards.card import write_card
from curation.shards.images import BAD_IMAGE_REASONS, ImageLimits
from curation.shards.samples import (
    REJECTED_IMAGE,
    RESTORABLE_REASONS,
    is_any_restored,
    is_heldout,
)
from curation.shards.shards import export_shards
from labeling.errors import ConfigError
from labeling.schemas import CANDIDATES, REJECTS, SELECTED
from pipelines.delivery.label_sets import LABEL_SETS
from pipelines.evidence.added import with_added
from pipelines.evidence.proposals import FOLDER, proposal_facts, selected_proposals
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.images import images_of, open_images, without_copies
from pipelines.run.progress import Progress, notify, stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import contents, make_stage, stage_name, taxonomy_of
from pipelines.selecting.labels import count_exported, label_lines


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Labels of a run, before their table is made.

    Attributes
    ----------
    name
        As in the names of stages.
    made_from
        Stages that the labels depend on.
    settings
        Settings that the labels depend on.
    read
        Returns the table of `labeling.schemas.SELECTED`.
    proposals
        Selection of the proposals of the run, which are exported too, or None.
    card
        Facts for the dataset card.
    """

    name: str
    made_from: tuple[Stage, ...]
    settings: Mapping[str, Any]
    read: Callable[[], pa.Table]
    card: Mapping[str, Any]
    proposals: Stage | None = None


def export(config: Config, run_dir: Path, label_set: str) -> Stage:
    """Write the shards of a label set of a run, or reuse them if nothing has changed."""
    return export_labels(config, run_dir, run_dir, label_set_of(run_dir, label_set))


def label_set_of(run_dir: Path, name: str) -> LabelSet:
    """Return one of `LABEL_SETS` of a run."""
    if name not in LABEL_SETS:
        raise ConfigError(
            "there is no such label set",
            facts={"label_set": name},
            help=f"one of {', '.join(LABEL_SETS)}",
        )
    selected = open_stage(run_dir, "selected")
    card: dict[str, Any] = {}
    settings, proposals = {}, None
    if name == "selected":
        n_kept, n = selected.counts["out"], selected.counts["in"]
        others = ("labels_", "trade_", "next_")
        facts = {name: v for name, v in selected.facts.items() if not name.startswith(others)}
        card = {**facts, "candidates": n, "kept": n_kept}
        card["kept_share"] = n_kept / max(n, 1)
        card |= proposal_facts(run_dir)
        proposals = selected_proposals(run_dir)
        settings = {} if proposals is None else {"proposals": proposals.content}
    read = partial(read_labels, selected, name)
    return LabelSet(name, (selected,), settings, read, card, proposals)


def read_labels(selected: Stage, label_set: str) -> pa.Table:
    """Return the labels of one of `LABEL_SETS`, as `labeling.schemas.SELECTED`."""
    return LABEL_SETS[label_set](selected.table(SELECTED))


def export_labels(config: Config, run_dir: Path, out_dir: Path, labels: LabelSet) -> Stage:
    """Write the shards of labels into the run's folder or another, or reuse them."""
    name = stage_name("shards", labels.name)
    inputs, settings = shards_made_from(config, run_dir, labels)
    with stage_line(name) as facts:
        stage = make_stage(
            out_dir,
            name,
            partial(_write, config, run_dir, labels),
            inputs=inputs,
            config=settings,
            is_complete=partial(is_complete, config, run_dir),
        )
        counts = stage.counts
        facts.append(
            f"{counts['train']:,} images with {counts['labels_kept']:,} labels to train on, "
            f"{counts['heldout']:,} held out, {counts['shards']} shards"
        )
        facts += [f"{n:,} dropped: {why}" for why, n in bad_images(stage).items()]
    candidates = open_stage(run_dir, "candidates")
    for line in label_lines(
        count_exported(stage, candidates), taxonomy_of(candidates), "to train on"
    ):
        notify(line)
    return stage


def bad_images(shards: Stage) -> dict[str, int]:
    """Return how many images shards lack because they could not be read or used, by reason."""
    dropped = shards.counts["dropped"].items()
    return {reason: n for reason, n in dropped if reason in BAD_IMAGE_REASONS}


def shards_made_from(
    config: Config, run_dir: Path, labels: LabelSet
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the inputs and settings of shards, as their fingerprint holds them."""
    candidates = open_stage(run_dir, "candidates")
    stages = (open_images(run_dir), candidates, with_added(candidates))
    settings = {**labels.settings, **settings_of("shards", config)}
    return (
        contents(*stages, *labels.made_from),
        {"label_set": labels.name, **settings, "card": labels.card},
    )


def is_complete(config: Config, run_dir: Path, shards: Stage) -> bool:
    """Return whether every image that was missing when the shards were written still is."""
    if not any(shards.counts["dropped"].get(reason) for reason in RESTORABLE_REASONS):
        return True
    images = images_of(open_images(run_dir))
    return not is_any_restored(shards.table(REJECTS), images, find_input(config), _limits(config))


def _limits(config: Config) -> ImageLimits:
    chosen = config.export
    return ImageLimits(short_side=chosen.short_side, keep_metadata=chosen.keep_metadata)


def _write(config: Config, run_dir: Path, labels: LabelSet, work: StageWriter) -> None:
    candidates, images = open_stage(run_dir, "candidates"), open_images(run_dir)
    selected, supported = labels.read(), with_added(candidates).table(CANDIDATES)
    if labels.proposals is not None:
        proposed = open_stage(run_dir / FOLDER, "candidates")
        further = open_stage(run_dir / FOLDER, "selected").table(SELECTED)
        selected = pa.concat_tables([selected, further])
        supported = pa.concat_tables([supported, with_added(proposed).table(CANDIDATES)])
    work.counts |= export_shards(
        selected,
        supported,
        without_copies(images_of(images)),
        taxonomy_of(candidates),
        find_input(config),
        work.dir,
        shard_mb=config.export.shard_mb,
        holdout_share=config.export.holdout_share,
        limits=_limits(config),
        progress=Progress(stage_name("shards", labels.name), "images"),
    )
    _refuse_no_images(stage_name("shards", labels.name), work, config.base)
    if labels.proposals is not None:
        work.counts["labels_proposed"] = _n_exported(further, work, config.export.holdout_share)
    facts = {
        "limit": candidates.facts.get("limit"),
        **labels.card,
        **work.counts,
        "short_side": config.export.short_side,
        "not_compared": images.counts.get("not_compared"),
    }
    write_card(facts, work.dir)


def _n_exported(labels: pa.Table, work: StageWriter, holdout_share: float) -> int:
    """Return how many of some labels are kept and in the training shards that were written."""
    (path,) = work.dir.glob("rejects-*.parquet")
    rejected = pq.read_table(path, columns=["where"])["where"]
    image_ids = pc.utf8_slice_codeunits(rejected, len(REJECTED_IMAGE))
    kept = labels.filter(labels["kept"])["image_id"]
    kept = kept.filter(pc.invert(pc.is_in(kept, value_set=image_ids)))
    return int(np.sum(~is_heldout(kept, holdout_share)))


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
        'name the folder where the images are now with `settings={"base": "FOLDER"}`, and keep the'
        " labels of more images than are held out",
    )
