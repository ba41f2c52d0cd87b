"""The commands ``winnow select`` and ``winnow look``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pipelines
from pipelines.commands.options import (
    open_share,
    print_next,
    print_values,
    run_argument,
    set_option,
)
from pipelines.run.paths import typed


@click.command()
@run_argument
@set_option
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="A network that was trained elsewhere: efficientnet-lite0 or -lite2, a safetensors file of"
    " a ResNet, or the folder of a model.",
)
@click.option(
    "--propose",
    type=open_share,
    metavar="P",
    help="Propose pairs that no source names and the network gives this probability: in"
    " RUN/proposals, to be audited and selected apart.",
)
def look(run: Path, **options: Any) -> None:
    """Have networks judge all candidates, each of images that it was not trained on.

    Their votes join the candidates as sources `visual` and `neighbours`: audits decide how far
    `winnow select` believes them. Without --weights five networks are trained by the settings
    `train`.
    """
    stage = pipelines.look(run, **options)
    print_values([("votes", stage.counts["votes"])])
    print_next(f"winnow select {typed(run)}")


@click.command()
@run_argument
@set_option
@click.option(
    "--keep",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Keep exactly this share.",
)
@click.option(
    "--precision",
    type=open_share,
    metavar="P",
    help="Keep as many as are proved to be this precise.",
)
@click.option(
    "--confidence",
    type=open_share,
    metavar="C",
    help="Confidence of the precision; 0.95 by default.",
)
@click.option(
    "--by",
    type=click.Choice(("level", "label", "source-pattern")),
    help="Select in each group by itself; groups with few audits are pooled.",
)
@click.option(
    "--floor",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the N best of each label, or as many as the share or the precision allows; 20 by"
    " default, 0 for none.",
)
@click.option(
    "--per-label",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep about N images of a label, drawn at random if there are more; the floor stays.",
)
def select(run: Path, **options: Any) -> None:
    """Score the candidates, keep the best, and measure their precision with its interval."""
    from curation.runs.stage import open_stage
    from pipelines.evidence.proposals import run_of
    from pipelines.run.images import images_stage

    stage = pipelines.select(run, **options)
    print_values([("candidates", stage.counts["in"]), ("kept", stage.counts["out"])])
    facts = stage.facts
    print_values((name, facts[name]) for name in ("precision", "precision_low", "precision_high"))
    has_images, of_run = images_stage(run) is not None, run_of(open_stage(run, "candidates"))
    if of_run is not None:
        print_next(f"winnow export {typed(of_run)}")
        return
    print_next(f"winnow {'export' if has_images else 'report'} {typed(run)}")
