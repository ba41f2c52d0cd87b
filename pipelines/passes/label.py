"""`winnow label`: inputs to signals, signals to candidates."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import refuse_nothing, reuse, write_stage
from curation.runs.table_files import by_table, read_table, write_table
from labeling.errors import InputError, QualityError
from labeling.links.links import REASONS as CAPPED
from labeling.matching.boilerplate import REASONS
from labeling.schemas import PHRASE_REASONS
from labeling.taxonomy.confusables import odd_names
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes import inputs as extract
from pipelines.passes.feedback import tell
from pipelines.passes.plan import plan, splits_for
from pipelines.passes.splits import input_digests, input_paths, splits_of
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, settings_of, taxonomy_files
from pipelines.run.paths import absolute
from pipelines.run.progress import say, step
from pipelines.shuffle.engine import Shuffle, Split, n_buckets_for, run
from pipelines.shuffle.engines import ready
from pipelines.shuffle.workspace import Place, place_for

MAX_SAID = 10
"""Odd names of labels that are printed."""


def label(config: Config, run_dir: Path, beam_options: Sequence[str] = ()) -> Stage:
    """Make a run's signals and candidates, or reuse them where nothing has changed.

    Parameters
    ----------
    config
        The settings.
    run_dir
        The run folder.
    beam_options
        Options for Beam, such as ``--runner=flink`` (see `pipelines.shuffle.engines`).

    Returns
    -------
    Stage
        The candidates, with the taxonomy that they refer to.
    """
    config = config.model_copy(update={"base": str(absolute(Path(config.base)))})
    with ready(beam_options) as options:
        return _label(config, absolute(run_dir), options)


def _label(config: Config, run_dir: Path, beam_options: Sequence[str]) -> Stage:
    files = digests_of("candidates", config)
    labels = replace(taxonomy_files(config), sha256=tuple(files.values()))
    taxonomy = extract.taxonomy_at(labels)
    odd = odd_names(taxonomy)
    _say_odd(odd)
    signals = _make_signals(config, labels, run_dir, beam_options)
    inputs = {"signals": signals.content, **files}
    settings = settings_of("candidates", config)
    with step("candidates") as facts:
        if reuse(run_dir, "candidates", inputs=inputs, config=settings) is None:
            with write_stage(
                run_dir, "candidates", inputs=inputs, config=settings, resume=True
            ) as work:
                place = place_for(config, run_dir, work)
                work.facts["bursts"], found = _run_passes(
                    config, labels, signals, place, beam_options
                )
                work.counts |= found
                work.counts |= _count_candidates(work.dir)
                _refuse_no_candidates(signals.counts, work.counts["candidates"], len(taxonomy))
                work.facts["odd_names"] = odd
                write_table(taxonomy.to_table(), work.dir, "taxonomy")
            place.close()
        else:
            facts.append("unchanged")
        stage = open_stage(run_dir, "candidates")
        counts = stage.counts
        facts.append(
            f"{counts['candidates']:,} candidates: {counts['labels']:,} of {len(taxonomy):,} labels"
            f" on {counts['images']:,} images"
        )
        facts.append(
            f"{counts['fixed_phrase']:,} fixed phrases and {counts['stop_name']:,} stop names"
        )
    return stage


def _refuse_no_candidates(given: Mapping[str, Any], n_candidates: int, n_labels: int) -> None:
    """Raise `InputError` if there are texts or feedback, and no label fits any."""
    rows = {name: given[name] for name in ("signals", "feedback")}
    refuse_nothing(
        "candidates",
        {"in": sum(rows.values()), "out": n_candidates},
        {**{name: f"{n:,}" for name, n in rows.items()}, "labels": f"{n_labels:,}"},
        "no text holds the name of a label: give the taxonomy names as the texts use them, in their"
        " language, and check `columns` of the inputs and label.support_only, whose sources do not"
        " open a candidate",
    )


def _say_odd(names: Sequence[str]) -> None:
    if names:
        say(f"{len(names):,} names of labels may be taken for others; they are kept apart:")
    for sentence in names[:MAX_SAID]:
        say(f"  {sentence}")
    if len(names) > MAX_SAID:
        say("  … the rest is in the manifest of the candidates, as odd_names")


def _make_signals(
    config: Config, labels: TaxonomyFiles, run_dir: Path, beam_options: Sequence[str]
) -> Stage:
    splits = splits_of(config)
    inputs = input_digests(config, splits)
    settings = settings_of("signals", config)
    with step("signals") as facts:
        if reuse(run_dir, "signals", inputs=inputs, config=settings) is None:
            with write_stage(
                run_dir, "signals", inputs=inputs, config=settings, resume=True
            ) as work:
                place = place_for(config, run_dir, work)
                if place.is_remote:  # the inputs are on this machine
                    place, beam_options = Place(work.dir, work.scratch), ()
                _extract(extract.ReadInputs(config, labels), splits, place, beam_options)
                work.counts |= _count_signals(work.dir)
                work.facts["cut_archives"] = _cut_archives(work.dir, splits)
                n_archives = sum(split.kind == "archive" for split in splits)
                work.counts["archives"] = _limit_cut(
                    n_archives, work.facts["cut_archives"], config.label.max_cut_share
                )
                _limit_rejects(work.dir, work.counts, config.label.max_reject_share)
            place.close()
        else:
            facts.append("unchanged")
        stage = open_stage(run_dir, "signals")
        facts += [f"{stage.counts[t]:,} {t}" for t in ("images", "signals", "links", "feedback")]
        facts.append(f"{stage.counts['rejects']:,} rejects")
    return stage


def _extract(
    read: extract.ReadInputs, splits: Sequence[Split], place: Place, beam_options: Sequence[str]
) -> None:
    n_rows = sum(input_paths(read.config, splits).values())
    shuffle = Shuffle(
        read=read,
        keys=extract.KEYS,
        reduce=extract.reduce_inputs,
        n_buckets=n_buckets_for(n_rows),
        work_dir=place.work_dir("inputs"),
        out_dir=place.out_dir("inputs", is_last=True),
        combine=extract.combine_inputs,
        name="inputs",
    )
    run(shuffle, splits, beam_options)
    outputs = {schema.name: schema.arrow for schema in extract.SCHEMAS}
    place.conclude("inputs", outputs, None, is_last=True)


def _run_passes(
    config: Config,
    labels: TaxonomyFiles,
    signals: Stage,
    place: Place,
    beam_options: Sequence[str],
) -> tuple[list[Any], dict[str, int]]:
    """Run `pipelines.passes.plan.plan`; only what the last pass makes is left in the output.

    Returns the bursts of feedback, and how many signals were discounted, pages capped and phrases
    found, by reason.
    """
    for copied in place.out.glob("phrases-*.parquet"):
        copied.unlink()  # by an attempt that broke off behind the last pass
    caps: list[Path] = []
    tally: list[Path] = []
    n_signals = signals.counts["signals"]
    n_buckets = n_buckets_for(n_signals + signals.counts["links"])
    files = dict(place.share(by_table(signals.paths())))
    passes = plan(
        place.taxonomy(labels),
        config.label.support_only,
        n_signals,
        signals.counts["feedback"],
        place.scratch,
        n_edges=signals.counts["links"] + signals.counts["placements"],
    )
    for one in passes:
        is_last = one is passes[-1]
        shuffle = Shuffle(
            read=place.read(one.read),
            keys=one.keys,
            reduce=place.reduce(one.reduce),
            n_buckets=one.n_buckets or n_buckets,
            work_dir=place.work_dir(one.name),
            out_dir=place.out_dir(one.name, is_last),
            combine=one.combine,
            carrier=place.carrier,
            name=one.name,
        )
        run(shuffle, splits_for({t: files[t] for t in one.inputs}), beam_options)
        made = place.conclude(one.name, one.outputs, one.conclude, is_last)
        caps += place.here(made.get("caps", []))
        tally += place.here(made.get("tally", []))
        files |= made
    (phrases,) = place.here(files["phrases"])
    shutil.copy(phrases, place.out)
    told = tell(place.scratch / "said", tally, extract.taxonomy_at(labels))
    return told.bursts, {
        **told.counts,
        **_sums(place.here(files["discounts"]), "n_signals", REASONS),
        **_sums(caps, "n_pages", CAPPED),
        **_count_phrases(phrases),
    }


def _count_rows(directory: Path) -> dict[str, int]:
    return {
        table: sum(pq.read_metadata(path).num_rows for path in paths)
        for table, paths in by_table(directory.iterdir()).items()
    }


def _count_signals(directory: Path) -> dict[str, Any]:
    rejects = read_table(directory, "rejects").column("reason").value_counts().to_pylist()
    by_reason = sorted((row["values"], row["counts"]) for row in rejects)
    return {**_count_rows(directory), "rejects_by_reason": dict(by_reason)}


def _sums(paths: Iterable[Path], column: str, reasons: Sequence[str]) -> dict[str, int]:
    """Return the sum of a column by reason, over tables of counts."""
    rows = pa.concat_tables([pq.read_table(path) for path in paths])
    return {
        reason: pc.sum(rows.filter(pc.equal(rows["reason"], reason))[column]).as_py() or 0
        for reason in reasons
    }


def _count_phrases(path: Path) -> dict[str, int]:
    reasons = pq.read_table(path)["reason"]
    return {r: pc.sum(pc.equal(reasons, r)).as_py() or 0 for r in PHRASE_REASONS}


def _count_candidates(directory: Path) -> dict[str, int]:
    """Count candidates, images and labels, a file at a time: no image is in two of them."""
    n_rows, n_images = 0, 0
    labels: set[str] = set()
    for path in sorted(directory.glob("candidates-*.parquet")):
        pairs = pq.read_table(path, columns=["image_id", "label_id"])
        n_rows += len(pairs)
        n_images += pc.count_distinct(pairs["image_id"]).as_py()
        labels.update(pairs["label_id"].unique().to_pylist())
    return {"candidates": n_rows, "images": n_images, "labels": len(labels)}


def _cut_archives(directory: Path, splits: Sequence[Split]) -> list[str]:
    """Return the archives with at least one record that is truncated."""
    rejects = read_table(directory, "rejects")
    cut = rejects.filter(pc.equal(rejects["reason"], "truncated"))["where"].to_pylist()
    archives = {split.arguments[1][0] for split in splits if split.kind == "archive"}
    return sorted(archives & {where.rpartition("#")[0] for where in cut})


def _limit_cut(n_archives: int, cut: Sequence[str], limit: float) -> dict[str, int]:
    """Return how many archives are whole and cut, or raise where too many are cut."""
    if len(cut) > limit * n_archives:
        raise QualityError(
            f"{len(cut):,} of {n_archives:,} archives are cut or damaged, more than"
            " label.max_cut_share",
            facts={"limit": limit, "first": ", ".join(cut[:3])},
            help="fetch them anew, or raise label.max_cut_share to take what they hold",
        )
    return {"whole": n_archives - len(cut), "cut": len(cut)}


def _limit_rejects(directory: Path, counts: Mapping[str, Any], limit: float) -> None:
    n_rejects = counts["rejects"]
    n_rows = n_rejects + counts["signals"] + counts["links"] + counts["feedback"]
    if n_rows == 0:
        raise InputError("the inputs hold no row", help="check the paths in the configuration")
    if n_rejects <= limit * n_rows:
        return
    rows = read_table(directory, "rejects").slice(0, 3).to_pylist()
    first = "; ".join(f"{row['where']}: {row['reason']} ({row['value']})" for row in rows)
    raise QualityError(
        f"{n_rejects:,} of {n_rows:,} input rows were rejected, more than label.max_reject_share",
        facts={"limit": limit, **counts["rejects_by_reason"], "first": first},
        help="mend the inputs, or raise label.max_reject_share",
    )
