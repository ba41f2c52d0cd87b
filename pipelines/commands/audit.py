"""The commands ``winnow audit sample`` and ``winnow audit import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.commands.options import AbsolutePath, on_run, run_argument, tell_next
from pipelines.run.paths import shown

if TYPE_CHECKING:
    from curation.runs.stage import Stage
    from pipelines.run.config import Config


@click.group()
def audit() -> None:
    """Draw pairs for people to judge, and take in what they say."""


@audit.command("sample")
@on_run
@click.option(
    "--until-width",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="W",
    help="Draw batch after batch until the interval of the precision is as narrow as this.",
)
def sample(config: Config, run: Path, until_width: float | None) -> None:
    """Draw pairs to judge.

    Writes RUN/audit-sheet.csv for a person to fill in; give it back with `winnow audit import`.
    Where the configuration names audit.truth, the answers are taken from there at once.

    With --until-width, give the command again after each import: it tells how precise the share to
    be kept is so far, with an interval that holds however often you look, and draws the next batch.
    """
    from pipelines.auditing.sample import SHEET, answer_audits, draw_audits
    from pipelines.auditing.until import audit_until

    if until_width is not None:
        look, n_pairs = audit_until(config, run, until_width)
        if look is not None:
            for name in ("n_audits", "precision", "low", "high"):
                value = getattr(look, name)
                click.echo(
                    f"{name}  {value:.4f}" if isinstance(value, float) else f"{name}  {value}"
                )
        if not n_pairs:
            tell_next(f"winnow select {shown(run)}")
            return
    elif config.audit.truth is not None:
        _tell(answer_audits(config, run, None), run)
        return
    else:
        n_pairs = draw_audits(config, run)[1]
    folder, sheet = shown(run), shown(run / SHEET)
    click.echo(f"sheet  {sheet}")
    click.echo(f"pairs  {n_pairs}")
    tell_next(f"fill in the column `verdict`, then: winnow audit import {folder} {sheet}")


_existing = AbsolutePath(exists=True)


@audit.command("import")
@run_argument
@click.argument("answers", type=AbsolutePath(dir_okay=False, exists=True))
@click.option(
    "--candidates",
    type=_existing,
    help="Parquet file or folder of candidates made elsewhere, to begin a run with.",
)
@click.option(
    "--taxonomy",
    type=_existing,
    help="Labels of those candidates; without it the ones that occur, none a kind of another.",
)
def take_in(run: Path, answers: Path, candidates: Path | None, taxonomy: Path | None) -> None:
    """Take in judgements: a filled-in sheet, or a table of judgements made elsewhere.

    ANSWERS is a CSV or Parquet file with the columns image_id, label_id and verdict (yes, no or
    unsure), and where they are known auditor, seq, stratum and p_inclusion.
    """
    from curation.runs.stage import locked
    from pipelines.auditing.import_candidates import import_candidates
    from pipelines.auditing.sample import answer_audits
    from pipelines.run.saved_config import load_config

    if taxonomy is not None and candidates is None:
        raise click.UsageError("--taxonomy needs --candidates")
    with locked(run):
        if candidates is not None:
            import_candidates(run, candidates, taxonomy)
        _tell(answer_audits(load_config(run), run, answers), run)


def _tell(stage: Stage, run: Path) -> None:
    for name in ("yes", "no", "unsure"):
        click.echo(f"{name}  {stage.counts[name]}")
    tell_next(f"winnow select {shown(run)}")
