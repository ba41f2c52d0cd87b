"""`winnow look`: votes of networks join the candidates, as those of one more labeling source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

from curation.intervals.judgements import judgements
from curation.pairs.pair_keys import PAIR
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, refuse_nothing
from curation.runs.table_files import write_table
from curation.shards.samples import RESTORABLE_REASONS, is_any_restored
from labeling.errors import InputError
from labeling.evidence.added import Votes
from labeling.keys import ids
from labeling.keys.arrays import Floats32
from labeling.objects.paths import join, path_of
from labeling.schemas import AUDITS, CANDIDATES, PLACEMENTS, REJECTS, VOTES
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.evidence.add import Added, add, files_of, refuse_own_sources
from pipelines.evidence.added import with_added
from pipelines.looking.costs import cost_line, own_settings
from pipelines.looking.folds import N_FOLDS, make_folds
from pipelines.looking.pixels import limits_of, store_pixels
from pipelines.looking.targets import nested_scores, without
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.images import images_of, open_images
from pipelines.run.losses import by_reason
from pipelines.run.progress import Progress, notify, stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import contents, make_stage, taxonomy_of
from pipelines.selecting.scores import parts_of
from pipelines.selecting.select import audits_of

if TYPE_CHECKING:
    from training.visual.opinions import Beyond, Opinion, Pairs
    from training.visual.pretrained import Embedder

SOURCES = ("neighbours", "visual")

OTHER_NAMES = (
    "`winnow look` votes under these names: give the source of the input another one, and make the"
    " candidates again with `winnow label`"
)

NO_IMAGES = 'name the folder where the images are now with `settings={"base": "FOLDER"}`'


def look(config: Config, run_dir: Path) -> Stage:
    """Have networks judge all candidates, each of images that it was not trained on.

    Parameters
    ----------
    config
        ``look.weights`` names a network that was trained elsewhere; without it the networks are
        trained here by the settings ``train``.

    Returns
    -------
    Stage
        The candidates with their evidence.

    Raises
    ------
    InputError
        If the run has no images or audits, or no image can be decoded.
    """
    candidates = open_stage(run_dir, "candidates")
    images = open_images(run_dir)
    refuse_own_sources(candidates, SOURCES, OTHER_NAMES)
    embedder = _embedder(config)
    audits = audits_of(config, run_dir, candidates)
    added = files_of(with_added(candidates))
    others = [file["digest"] for file in added if {*file["sources"]} - {*SOURCES}]

    def write(work: StageWriter) -> None:
        _write(work, config, run_dir, embedder)

    settings, least = settings_of("look", config), config.look.propose
    trained = {name: v for name, v in settings.items() if name not in ("weights", "propose")}
    network = trained if embedder is None else embedder.digest
    made_with = {"network": network, "evidence": sorted(others)}
    with stage_line("look") as facts:
        stage = make_stage(
            run_dir,
            "look",
            write,
            inputs=contents(images, candidates, audits),
            config=made_with if least is None else made_with | {"propose": least},
            seed=config.train.seed,
            resume=True,
            is_complete=partial(_is_complete, config, images, embedder),
        )
        facts.append(f"{stage.counts['out']:,} images in folds by {stage.facts['folds_by']}")
        facts += [f"{n:,} not: {why}" for why, n in stage.counts["dropped"].items()]
        ranked = stage.facts["ranked"]
        facts += [f"{name} alone ranks {share:.3f} of audits" for name, share in ranked.items()]
    votes = stage.table(VOTES)
    given = _votes(votes, taxonomy_of(candidates))
    proposes = least is not None
    return add(
        run_dir, Added("look", stage.content, given, len(votes), {}, REJECTS.empty(), proposes)
    )


def _embedder(config: Config) -> Embedder | None:
    from training.visual.pretrained import PACKAGES, open_embedder

    weights = config.look.weights
    if weights is None:
        return None
    path = join(path_of(config.base), weights)
    if weights in PACKAGES or not path.exists():
        return open_embedder(weights)
    model = current(path.parent, path.name)  # where it is the folder of a stage
    return open_embedder(str(path if model is None else model.dir))


def _image_size(config: Config, embedder: Embedder | None) -> int:
    return config.train.image_size if embedder is None else embedder.image_size


def _is_complete(config: Config, images: Stage, embedder: Embedder | None, looked: Stage) -> bool:
    """Return whether every image that was missing when the networks looked still is."""
    if not any(looked.counts["dropped"].get(reason) for reason in RESTORABLE_REASONS):
        return True
    limits = limits_of(_image_size(config, embedder))
    rejects = looked.table(REJECTS)
    return not is_any_restored(rejects, images_of(images), find_input(config), limits)


def _write(work: StageWriter, config: Config, run_dir: Path, embedder: Embedder | None) -> None:
    """Write the votes of the networks; what is finished stays for the next attempt."""
    from training.data.shard_index import open_shards
    from training.fit.checkpoints import Checkpoints
    from training.visual.opinions import by_heads, by_own_networks, stored_features

    stage, candidates = open_images(run_dir), open_stage(run_dir, "candidates")
    named = candidates.table(CANDIDATES, PAIR)
    images = _images(stage, named)
    size = _image_size(config, embedder)
    n_labels = pc.count_distinct(named["label_id"]).as_py()
    notify(cost_line(config, embedder, images, size, n_labels))
    tars, rejects = store_pixels(images, find_input(config), size, work.scratch)
    n_usable = len(images) - len(rejects)
    work.counts |= {"in": len(images), "out": n_usable, "dropped": by_reason(rejects)}
    refuse_nothing("look", work.counts, {"data folder": config.base}, NO_IMAGES)
    if n_usable < N_FOLDS:
        raise InputError(
            "there are too few images to look at",
            facts={"images": n_usable, "least": N_FOLDS, "not decoded": len(rejects)},
            help="networks judge images by what others show, in folds: add images to the run",
        )
    write_table(rejects, work.dir, REJECTS.name)
    shards = open_shards(tars)
    image_ids = pa.array(shards.keys, pa.string())
    folds = make_folds(image_ids, *_together(stage, images))
    pairs, label_ids = _pairs(named, image_ids, folds.fold)
    audits = open_stage(run_dir, "audits").table(AUDITS)
    scores = nested_scores(
        without(parts_of(with_added(candidates)), SOURCES),
        taxonomy_of(candidates),
        audits,
        image_ids,
        folds.fold,
        work.scratch,
    )
    report, least = _reporter(), config.look.propose
    if embedder is None:
        settings, minutes = own_settings(config), config.train.checkpoint_minutes
        states = partial(Checkpoints, minutes=minutes, report=notify)
        opinions = by_own_networks(
            shards, settings, label_ids, pairs, scores, work.scratch, report, states, least
        )
    else:
        features = stored_features(shards, embedder, work.scratch, report)
        opinions = by_heads(features, pairs, scores, least)
    strengths, beyond = _united(opinions, len(pairs.row))
    judged = named.take(pa.array(pairs.row))
    proposed = _proposed(beyond, image_ids, label_ids)
    write_table(pa.concat_tables([_table(judged, strengths), proposed]), work.dir, VOTES.name)
    work.facts |= {
        "network": "trained here" if embedder is None else embedder.name,
        "weights": config.look.weights,
        "folds_by": folds.by,
        "ranked": _ranked(judged, strengths, audits),
    }


def _together(stage: Stage, images: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """Return what images may share, and the columns of it whose groups may be in one fold.

    Of imported ones only their bytes are known.
    """
    if stage.name == "signals":
        return stage.table(PLACEMENTS), ("host", "page_id")
    return images, ("content_id",)


def _images(stage: Stage, named: pa.Table) -> pa.Table:
    images = images_of(stage)
    return images.filter(pc.is_in(images["image_id"], value_set=pc.unique(named["image_id"])))


def _pairs(
    named: pa.Table, image_ids: pa.Array, fold: npt.NDArray[np.int8]
) -> tuple[Pairs, list[str]]:
    """Return the candidates of the images, in the order of these, and the labels by number."""
    from training.visual.opinions import Pairs

    label_ids = pc.unique(named["label_id"]).sort()
    image = np.asarray(pc.fill_null(pc.index_in(named["image_id"], image_ids), -1), np.int64)
    label = np.asarray(pc.index_in(named["label_id"], label_ids), np.int64)
    row = np.flatnonzero(image >= 0)
    row = row[np.argsort(image[row], kind="stable")]
    names: list[str] = label_ids.to_pylist()
    return Pairs(row, image[row], label[row], fold, len(names)), names


def _reporter() -> Callable[[str, int, int], None]:
    """Return a function that prints the progress of each unit of work."""
    shown: dict[str, Progress] = {}

    def report(unit: str, done: int, total: int) -> None:
        shown.setdefault(unit, Progress("look", unit))(done, total)

    return report


def _united(opinions: Iterable[Opinion], n_pairs: int) -> tuple[dict[str, Floats32], list[Beyond]]:
    """Return the strengths of all candidates by source, and the pairs beyond them."""
    strengths, beyond = {source: np.zeros(n_pairs, np.float32) for source in SOURCES}, []
    for opinion in opinions:
        beyond.append(opinion.beyond)
        strengths["visual"][opinion.pairs] = opinion.visual
        strengths["neighbours"][opinion.pairs] = opinion.neighbours
    return strengths, beyond


def _proposed(beyond: Sequence[Beyond], image_ids: pa.Array, label_ids: Sequence[str]) -> pa.Table:
    """Return the votes on pairs that are not candidates, in the order of the candidates."""
    image, label, strength = (np.concatenate(columns) for columns in zip(*beyond, strict=True))
    order = np.lexsort((label, image))
    columns = {
        "image_id": image_ids.take(pa.array(image[order])),
        "label_id": pa.array(label_ids, pa.string()).take(pa.array(label[order])),
        "source": pa.array(["visual"] * len(order), pa.string()),
        "strength": pa.array(strength[order]),
    }
    return pa.table(columns, schema=VOTES.arrow)


def _table(judged: pa.Table, strengths: Mapping[str, Floats32]) -> pa.Table:
    parts = [
        judged.append_column("source", pa.array([source] * len(judged), pa.string()))
        .append_column("strength", pa.array(values))
        .cast(VOTES.arrow)
        for source, values in strengths.items()
    ]
    return pa.concat_tables(parts)


def _ranked(
    judged: pa.Table, strengths: Mapping[str, Floats32], audits: pa.Table
) -> dict[str, float]:
    """Return how often each source ranks a right audited pair above a wrong one, by weight."""
    known = judgements(audits, judged).known
    if known.correct.all() or not known.correct.any():
        return {}
    weight = 1 / known.p_inclusion
    return {
        source: round(roc_auc_score(known.correct, values[known.row], sample_weight=weight), 4)
        for source, values in strengths.items()
    }


def _votes(votes: pa.Table, taxonomy: Taxonomy) -> Votes:
    return Votes(
        ids.to_halves(votes["image_id"]),
        taxonomy.codes(votes["label_id"]),
        np.asarray(pc.index_in(votes["source"], pa.array(SOURCES)), np.int32),
        np.asarray(votes["strength"], np.float64),
        SOURCES,
    )
