"""The commands ``winnow evidence add``, ``winnow evidence list`` and ``winnow evidence remove``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import pipelines
from pipelines.commands.options import AbsolutePath, existing_run, print_next
from pipelines.run.paths import typed

if TYPE_CHECKING:
    from curation.runs.stage import Stage


@click.group()
def evidence() -> None:
    """Add votes of further sources, such as scores of a network, to the candidates of a run."""


@evidence.command("add")
@existing_run
@click.argument("votes", type=AbsolutePath(dir_okay=False))
@click.option(
    "--propose",
    is_flag=True,
    help="Propose the pairs that are not candidates: in RUN/proposals, to be audited and selected"
    " apart.",
)
def evidence_add(run: Path, votes: Path, propose: bool) -> None:
    """Add the votes of a file to the candidates.

    VOTES is a Parquet, CSV, TSV or JSON Lines file with the columns image_id, label_id, source and
    strength: a row for each vote. `label_id` is an id, or a name that means one label. Of the
    strengths, any finite numbers, only the order within a source counts: audits show `winnow
    select` how far to believe them. A source that names an image and not one of its candidates is
    silent there; it does not cover images that it does not name.

    Votes of a source that was added before are replaced.
    """
    stage = pipelines.evidence_add(run, votes, propose=propose)
    _print_files(stage, [file for file in stage.facts["files"] if file["name"] == votes.name])
    print_next(f"winnow select {typed(run)}")


@evidence.command("list")
@existing_run
def evidence_list(run: Path) -> None:
    """List the sources that were added, with their votes and the images that they cover."""
    from curation.runs.stage import current
    from pipelines.evidence.proposals import proposal_line

    stage = current(run, "evidence")
    files = [] if stage is None else stage.facts["files"]
    if stage is None or not files:
        click.echo("no evidence was added", err=True)
        return
    _print_files(stage, files)
    line = proposal_line(run)
    if line is not None:
        click.echo(line)


@evidence.command("remove")
@existing_run
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
def evidence_remove(run: Path, sources: tuple[str, ...]) -> None:
    """Remove the votes of sources that were added."""
    pipelines.evidence_remove(run, sources)
    print_next(f"winnow select {typed(run)}")


def _print_files(stage: Stage, files: list[dict[str, Any]]) -> None:
    from labeling.taxonomy.confusables import visible

    n = f"{stage.counts['candidates']:,}"
    for file in files:
        for name, source in file["sources"].items():
            votes, images = f"{source['votes']:,}", f"{source['images']:,}"
            covered = f"on {images} images ({file['name']})"
            click.echo(visible(f"{name}: votes on {votes} of {n} candidates, {covered}"))
        dropped = ", ".join(f"{n_rows:,} {reason}" for reason, n_rows in file["dropped"].items())
        if dropped:
            click.echo(f"  of {file['in']:,} rows not used: {dropped}")
