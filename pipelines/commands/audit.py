"""The commands ``winnow audit sample``, ``winnow audit import`` and ``winnow audit serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import pipelines
from pipelines.commands.options import (
    AbsolutePath,
    existing_run,
    open_share,
    print_next,
    print_values,
    run_argument,
    set_option,
)
from pipelines.run.paths import shown, typed

if TYPE_CHECKING:
    from curation.runs.stage import Stage


_precision_option = click.option(
    "--precision",
    type=open_share,
    metavar="P",
    help="Draw for a proof of this precision, by `winnow select --precision P`.",
)


@click.group()
def audit() -> None:
    """Draw pairs for people to judge, and import their judgements."""


@audit.command("sample")
@run_argument
@set_option
@click.option(
    "--until-width",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="W",
    help="Draw batch after batch until the interval of the precision is as narrow as this.",
)
@_precision_option
@click.option(
    "--anytime",
    is_flag=True,
    help="Count every selection of this run as a look, so that you may stop whenever you like.",
)
def audit_sample(run: Path, **options: Any) -> None:
    """Draw pairs to judge.

    Writes RUN/audit-sheet.csv for a person to fill in from the top; `winnow audit import` reads it.
    The pairs are in random order: you may stop anywhere, but a pair that is left out on the way
    counts against the precision. If the configuration names audit.truth, the pairs are judged by it
    at once.

    With --precision the first sheet has 150 pairs. After its import the same command draws the
    others where the threshold will fall, all with the same probability, and shows which share may
    be proved with so many and with more.

    With --anytime on the first sheet, `winnow select` may be run after each import, and the last
    result is valid: all looks together have the confidence asked for.

    With --until-width, repeat the command after each import: it shows the precision of the share to
    be kept so far, with an interval that holds however often you look, and draws the next batch.
    """
    sample = pipelines.audit_sample(run, **options)
    if sample.look is not None:
        names = ("n_audits", "precision", "low", "high")
        print_values((name, getattr(sample.look, name)) for name in names)
    if sample.audits is not None:
        _print_verdicts(sample.audits)
    if sample.sheet is None:
        print_next(f"winnow select {typed(run)}")
        return
    from pipelines.run.progress import notify

    print_values([("sheet", shown(sample.sheet)), ("pairs", sample.n_pairs)])
    notify(f"judge them in a browser (winnow audit serve {typed(run)}), or in the sheet:")
    command = f"winnow audit import {typed(run)} {typed(sample.sheet)}"
    print_next(f"fill in the column `verdict` from the top (the order is random), then: {command}")


_existing = AbsolutePath(exists=True)


@audit.command("serve")
@existing_run
@click.option(
    "--auditor",
    default="auditor",
    show_default=True,
    help="Name of the person who judges; each has a journal of verdicts in RUN/audit-journals.",
)
@click.option(
    "--until-width",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="W",
    help="Width of the interval that a look at the precision gives the number of pairs for.",
)
@_precision_option
@click.option(
    "--known",
    type=AbsolutePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Pairs with known answers (image_id, label_id, verdict), mixed in to measure errors.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on this machine; by default one that is free.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Host that the page may be asked for too, as through a tunnel (repeatable).",
)
@set_option
def audit_serve(run: Path, **options: Any) -> None:
    """Judge pairs in a browser, until Ctrl-C.

    Prints an address on this machine. The page shows the pairs of `winnow audit sample`, or draws
    some, one by one, in grids of one label or in a stream. Each verdict is on disk before it
    counts. When the page ends, the verdicts are imported.
    """
    audits = pipelines.audit_serve(run, **options)
    if audits is not None:
        _print_verdicts(audits)
        print_next(f"winnow select {typed(run)}")


@audit.command("import")
@run_argument
@click.argument("answers", required=False, type=AbsolutePath(dir_okay=False, exists=True))
@click.option(
    "--candidates",
    type=_existing,
    help="Parquet file or folder of candidates made elsewhere, to begin a run with.",
)
@click.option(
    "--taxonomy",
    type=_existing,
    help="Labels of those candidates; by default the labels that occur, without a hierarchy.",
)
@click.option(
    "--images",
    type=AbsolutePath(dir_okay=False, exists=True),
    help="Table of the files of their images (image_id, path, sha256), to show and export them.",
)
def audit_import(run: Path, answers: Path | None, **options: Any) -> None:
    """Import judgements: a filled-in sheet, or a table of judgements made elsewhere.

    ANSWERS is a CSV or Parquet file with the columns image_id, label_id and verdict (yes, no or
    unsure), and where they are known auditor, seq, stratum and p_inclusion. Without it the verdicts
    of the audit page (`winnow audit serve`) are imported, or with --images these alone.
    """
    made = pipelines.audit_import(run, answers, **options)
    if made.name == "images":
        print_values([("images", made.counts["out"])])
        print_next(f"winnow status {typed(run)}")
        return
    _print_verdicts(made)
    print_next(f"winnow select {typed(run)}")


def _print_verdicts(audits: Stage) -> None:
    from pipelines.auditing.sample import n_of_verdict

    print_values(n_of_verdict(audits).items())
