"""Draw pairs to judge, and commit the judgements."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.audits import BAND, CELL, answer, is_drawn_here, sample
from curation.audits.two_phase import draw_again
from curation.audits.verdicts import agreement
from curation.pairs.pair_keys import PAIR, find_pairs
from curation.runs.durable import file_digest, write_text
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter
from curation.runs.table_files import write_table
from curation.scoring.parts import Pool
from labeling.errors import InputError
from labeling.schemas import AUDITS, CANDIDATES, IMAGES, SKIPPED, VERDICTS
from pipelines.auditing.advice import plan_lines
from pipelines.auditing.drawn import digest_of_sheet, read_drawn, write_drawn
from pipelines.auditing.known_answers import FILE as KNOWN
from pipelines.auditing.known_answers import KnownAnswers, known_answers_text
from pipelines.auditing.pool import bands_of, pool_of
from pipelines.auditing.repeats import with_repeats
from pipelines.auditing.sheets import read_answers, sheet_text
from pipelines.auditing.strata import cells_of, cut_cells, read_cells
from pipelines.delivery.truth import read_truth
from pipelines.evidence.proposals import proposal_line
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, settings_of
from pipelines.run.images import images_stage, some_images
from pipelines.run.paths import typed
from pipelines.run.progress import notify, stage_line
from pipelines.run.saved_config import find_input
from pipelines.run.stages import contents, make_stage, taxonomy_of
from pipelines.selecting.scores import score

SHEET = "audit-sheet.csv"

N_FIRST = 150
"""Pairs of the first sheet where a precision is to be proved; others follow by the scores."""

MIN_SCORED = 75
"""Judgements that the scores need before pairs are drawn by them."""

MAX_UNSURE = 0.05
"""Share of unsure verdicts up to which nothing is printed."""


def draw_audits(
    config: Config, run_dir: Path, *, replaces_untouched: bool = False
) -> tuple[Path, int]:
    """Draw pairs and write them as a sheet for a person to fill in.

    If some pairs of the draw have been judged, the sheet begins with their judgements, so that its
    answers replace the earlier ones without a loss. Some pairs are asked twice if the settings ask
    for repeats.

    Parameters
    ----------
    config, run_dir
        Settings and folder of the run.
    replaces_untouched
        Whether a sheet that is as it was written is replaced, though it was not imported.

    Returns
    -------
    path, n_pairs
        The CSV file, and how many of its rows have an empty ``verdict``.

    Raises
    ------
    InputError
        If there is a sheet whose answers were not imported, or all pairs are judged.
    """
    path = run_dir / SHEET
    candidates = open_stage(run_dir, "candidates")
    if not (replaces_untouched and _is_untouched(path, run_dir)):
        _refuse_unread(path, run_dir)
    judged = current_audits(run_dir, candidates)
    if not is_drawn_here(judged):
        notify("the judgements of this run were drawn elsewhere: this sheet will replace them")
        judged = AUDITS.empty()
    _score_first(config, run_dir, candidates, judged)
    n = _n_of_batch(config, judged)
    drawn = _draw(config, run_dir, candidates, pool_of(run_dir, candidates), judged, n)
    if not len(drawn):
        raise InputError(
            "the run has no candidates to audit",
            facts={"run": run_dir},
            help="check the inputs and the taxonomy, and run `winnow label` again",
        )
    answers = answered(judged)
    asked = drawn.filter(pa.array(find_pairs(drawn, answers) < 0))
    rows = with_repeats(asked, answers, config.audit.repeats, config.audit.seed)
    if not len(rows):
        raise _nothing_to_ask(config, run_dir, candidates, count_pairs(answers), len(drawn))
    stage = images_stage(run_dir)
    shown = {*answers["image_id"].to_pylist(), *rows["image_id"].to_pylist()}
    images = IMAGES.empty() if stage is None else some_images(stage, shown)
    sheet = sheet_text(answers, rows, images, taxonomy_of(candidates))
    # Before the sheet: one that is there without it would be read in the order of its rows.
    write_drawn(run_dir, candidates, *_in_order(judged, asked), sheet=sheet)
    write_text(path, sheet)
    proposals = proposal_line(run_dir)
    for line in (*plan_lines(config, run_dir, candidates, len(drawn)), proposals):
        if line is not None:
            notify(line)
    return path, len(rows)


def _nothing_to_ask(
    config: Config, run_dir: Path, candidates: Stage, n_judged: int, n_drawn: int
) -> InputError:
    if n_judged >= candidates.counts["candidates"]:
        return InputError(
            f"all {n_judged:,} candidates have been judged",
            help=f"use the judgements: winnow select {typed(run_dir)}",
        )
    command, precision = f"winnow audit sample {typed(run_dir)}", config.select.precision
    command += f" -o audit.n={2 * n_judged}" + (f" --precision {precision}" if precision else "")
    return InputError(
        f"{n_judged:,} pairs have been judged, and audit.n asks for {n_drawn:,}",
        help=f"ask for more: {command}",
    )


def _in_order(judged: pa.Table, asked: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return the pairs skipped so far, those answered, and new ones.

    The first stay before every answer: a sheet that is imported again does not forget them.
    """
    skipped = judged.filter(pc.equal(judged["verdict"], SKIPPED))
    new = asked.filter(pa.array(find_pairs(asked, judged) < 0))
    return skipped, answered(judged).sort_by("seq"), new


def answered(audits: pa.Table) -> pa.Table:
    """Return the judgements of a person or a program, without pairs that were skipped."""
    return audits.filter(pc.not_equal(audits["verdict"], SKIPPED))


def current_audits(run_dir: Path, candidates: Stage) -> pa.Table:
    """Return the judgements of these candidates, which may be an empty table."""
    audits = current(run_dir, "audits")
    if audits is None or audits.manifest["inputs"]["candidates"] != candidates.content:
        return AUDITS.empty()
    return open_stage(run_dir, "audits").table(AUDITS)


def count_pairs(audits: pa.Table) -> int:
    """Return the number of pairs of some audits, each counted once however many judged it."""
    return len(np.unique(find_pairs(audits, audits)))


def import_answers(run_dir: Path, answers: Path, known: Sequence[KnownAnswers] = ()) -> Stage:
    """Commit the judgements of a filled-in sheet, or of a table made elsewhere.

    Parameters
    ----------
    known
        Verdicts on pairs with known answers, which are not judgements.
    """
    candidates = open_stage(run_dir, "candidates")
    inputs = contents(candidates) | {"answers": file_digest(answers)}
    known_text = known_answers_text(known) if known else ""
    if known_text:
        inputs["known answers"] = hashlib.sha256(known_text.encode()).hexdigest()
    # Not an input: judgements stay valid when the strata of the next draw replace theirs.
    settings = {"auditor": answers.stem, **contents(*cells_of(run_dir, candidates))}

    def strata() -> tuple[str, npt.NDArray[np.int8]]:
        cells = read_cells(run_dir, candidates)
        return (BAND, bands_of(run_dir, candidates)) if cells is None else (CELL, cells.cell)

    def judge() -> pa.Table:
        drawn = read_drawn(run_dir, candidates)
        return read_answers(answers, candidates.packed(CANDIDATES, PAIR), strata, drawn)

    return _commit(run_dir, judge, inputs, settings, seed=0, known=known_text)


def answer_by_truth(config: Config, run_dir: Path) -> Stage:
    """Draw pairs, and commit their judgements by the truth that the settings name."""
    candidates = open_stage(run_dir, "candidates")
    path = find_input(config, str(config.audit.truth))
    inputs = contents(candidates) | digests_of("audits", config)
    truth = read_truth(path, taxonomy_of(candidates))
    while True:
        earlier = current_audits(run_dir, candidates)
        _score_first(config, run_dir, candidates, earlier)
        n = _n_of_batch(config, earlier)

        def judge(earlier: pa.Table = earlier, n: int = n) -> pa.Table:
            drawn = _draw(config, run_dir, candidates, pool_of(run_dir, candidates), earlier, n)
            return answer(drawn, truth)

        settings = settings_of("audits", config) | {"n": n}
        stage = _commit(run_dir, judge, inputs, settings, config.audit.seed)
        if n >= min(config.audit.n, candidates.counts["candidates"]):
            return stage


def _commit(
    run_dir: Path,
    judge: Callable[[], pa.Table],
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    seed: int,
    known: str = "",
) -> Stage:
    def write(work: StageWriter) -> None:
        audits = judge()
        write_table(audits, work.dir, "audits")
        if known:
            (work.dir / KNOWN).write_text(known, "utf-8")
        verdicts = audits["verdict"].to_pylist()
        work.counts |= {verdict: verdicts.count(verdict) for verdict in (*VERDICTS, SKIPPED)}
        work.facts |= _agreement(audits)

    with stage_line("audits") as facts:
        stage = make_stage(run_dir, "audits", write, inputs=inputs, config=settings, seed=seed)
        facts += [f"{n:,} {verdict}" for verdict, n in n_of_verdict(stage).items()]
        measured = stage.facts
        if measured.get("n_judged_by_several"):
            kappa = f", kappa {measured['kappa']:.2f}" if "kappa" in measured else ""
            n_pairs = measured["n_judged_by_several"]
            facts.append(
                f"auditors agree in {measured['agreement']:.0%} of {n_pairs:,} pairs{kappa}"
            )
    _note_unknown(stage, run_dir)
    return stage


def n_of_verdict(audits: Stage) -> dict[str, int]:
    """Return the number of judgements with each verdict, and of skipped pairs if there are any."""
    n_skipped = audits.counts.get(SKIPPED, 0)  # not counted by earlier versions
    skipped = {SKIPPED: n_skipped} if n_skipped else {}
    return {verdict: audits.counts[verdict] for verdict in VERDICTS} | skipped


def _note_unknown(audits: Stage, run_dir: Path) -> None:
    n = n_of_verdict(audits)
    n_skipped = n.get(SKIPPED, 0)
    if not n_skipped and n["unsure"] <= MAX_UNSURE * sum(n.values()):
        return
    notify(
        f"  {n_skipped:,} pairs before the last answer are skipped, {n['unsure']:,} are unsure:"
        " bounds of the precision count them as wrong or right, whichever is worse"
    )
    if n_skipped:
        notify(f"  `winnow audit sample {typed(run_dir)}` asks for the skipped ones again")


def _score_first(config: Config, run_dir: Path, candidates: Stage, judged: pa.Table) -> None:
    """Score by the judgements, if the next pairs are to be drawn by the scores."""
    n_judged = count_pairs(judged)
    if config.select.precision is not None and MIN_SCORED <= n_judged < config.audit.n:
        score(config, run_dir, candidates, open_stage(run_dir, "audits"))


def _n_of_batch(config: Config, judged: pa.Table) -> int:
    """Return the number of pairs after the next batch.

    For a precision each batch doubles the judgements: where the threshold will fall is known better
    after each.
    """
    if config.select.precision is None:
        return config.audit.n
    n_judged = count_pairs(judged)
    n = 2 * n_judged if n_judged >= MIN_SCORED else 0
    return min(config.audit.n, max(n, N_FIRST))


def _draw(
    config: Config, run_dir: Path, candidates: Stage, pool: Pool, judged: pa.Table, n: int
) -> pa.Table:
    """Draw by scores once a model was trained on the judgements, else by cold scores."""
    seed = config.audit.seed
    cells = read_cells(run_dir, candidates)
    if count_pairs(judged) < n:
        cells = cut_cells(config, run_dir, candidates, pool, judged)
    if cells is None:
        return sample(pool.pairs, pool.cold, n, seed, keep=config.select.keep, kind=pool.kind)
    return draw_again(pool.pairs, cells, n, seed, kind=pool.kind)


def _is_untouched(sheet: Path, run_dir: Path) -> bool:
    return sheet.exists() and file_digest(sheet) == digest_of_sheet(run_dir)


def _refuse_unread(sheet: Path, run_dir: Path) -> None:
    if not sheet.exists():
        return
    audits = current(run_dir, "audits")
    if audits is None or file_digest(sheet) not in audits.manifest["inputs"].values():
        raise InputError(
            "there is an audit sheet already, which may hold answers",
            facts={"file": sheet},
            help=f"import its answers (winnow audit import {typed(run_dir)} {typed(sheet)})"
            " or move it away",
        )


def _agreement(audits: pa.Table) -> dict[str, float]:
    measured = agreement(audits)
    facts = {"agreement": measured.share, "kappa": measured.kappa}
    known = {name: value for name, value in facts.items() if not math.isnan(value)}
    return {"n_judged_by_several": measured.n_pairs, **known}
