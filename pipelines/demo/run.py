"""`winnow demo`: the whole job on a miniature web whose truth is known."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from curation.runs.durable import write_text
from curation.runs.lock import locked
from labeling.errors import InputError
from pipelines.auditing.sample import answer_by_truth
from pipelines.delivery.evaluate import evaluate
from pipelines.delivery.export import export
from pipelines.delivery.report import report
from pipelines.delivery.train import train
from pipelines.demo.files import write_world
from pipelines.demo.records import WorldSettings
from pipelines.demo.world import make_world
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.run.paths import shown, typed
from pipelines.run.progress import notify, stage_line
from pipelines.run.saved_config import save_config
from pipelines.selecting.select import select

LABEL_SETS = ("all", "random", "selected")

CONFIG = """\
# The demo's configuration, as you would write one for your own pages.
base = "web"

[taxonomy]
path = "taxonomy.jsonl"

[[site]]
path = "site"

[[feedback]]
path = "feedback.csv"

[audit]
n = 500
truth = "truth.csv"  # answers the audit, so that the demo needs no person; leave it out for yours

[train]
depth = 18
width = 16
stem = "small"
image_size = 24
steps = {steps}
batch_size = 32
learning_rate = 0.15

[evaluate]
truth = "truth.csv"
"""


@dataclass(frozen=True)
class DemoSettings:
    """The size of the demo: tests make it smaller."""

    world: WorldSettings = WorldSettings()
    steps: int = 420


def run_demo(out: Path, seed: int = 0, settings: DemoSettings = DemoSettings()) -> dict[str, Any]:
    """Make the web, label, audit, select, export, train, evaluate and report.

    Parameters
    ----------
    out
        Run folder; the web is written into ``out/web``, the configuration beside it. A web that
        exists is used as it is, and finished stages are not repeated.
    seed
        Seed of the web.
    settings
        Size of the web and of the training.

    Returns
    -------
    dict
        The content of ``report.json``.

    Raises
    ------
    InputError
        If the folder holds a demo of another seed.
    """
    with locked(out):
        config_path = _make_web(out, seed, settings)
        config = read_config(config_path)
        label(config, out)
        save_config(config, out)
        answer_by_truth(config, out)
        select(config, out)
        for label_set in LABEL_SETS:
            export(config, out, label_set)
            train(config, out, label_set)
            evaluate(config, out, label_set)
        page = report(config, out)
    return _print_results(out, page)


def _make_web(out: Path, seed: int, settings: DemoSettings) -> Path:
    """Write the web and its configuration, whole or not at all; return the configuration."""
    recipe = json.dumps({"seed": seed, **asdict(settings)}, indent=1) + "\n"
    web, config = out / "web", out / "winnow.toml"
    with stage_line("web") as facts:
        if web.exists():
            _refuse_another(web / "recipe.json", recipe)
            facts.append("unchanged")
        else:
            partial = out / ".web.partial"
            shutil.rmtree(partial, ignore_errors=True)
            write_world(make_world(seed, settings.world), partial)
            write_text(partial / "recipe.json", recipe)
            partial.rename(web)
        n_pages = sum(1 for _ in (web / "site").rglob("*.html"))
        facts.append(f"{n_pages:,} pages in {shown(web)}")
    write_text(config, CONFIG.format(steps=settings.steps))
    return config


def _refuse_another(path: Path, recipe: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != recipe:
        raise InputError(
            "the folder holds another demo, or something else",
            facts={"folder": path.parent},
            help="choose another folder with --out",
        )


def _print_results(out: Path, page: Path) -> dict[str, Any]:
    """Print the table of results to stdout and the next command to stderr; return the report."""
    facts: dict[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    table = Table(title="What the labels are worth", title_justify="left", box=None)
    for heading in ("labels trained on", "labels", "truly right", "mAP on held-out images"):
        table.add_column(heading, justify="left" if heading == "labels trained on" else "right")
    for name, label_set, n_labels, precision in (
        ("all candidates", "all", "candidates", "true_precision_all"),
        ("a random third", "random", "kept", "true_precision_random"),
        ("the selected third", "selected", "kept", "true_precision"),
    ):
        quality = f"{facts[f'map_{label_set}']:.3f}"
        table.add_row(name, f"{facts[n_labels]:,}", f"{facts[precision]:.1%}", quality)
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(table)
    console.print(
        f"\n{facts['n_audits']:,} audited pairs put the precision of the selected third at "
        f"{facts['precision']:.1%} ({100 * facts['confidence']:.4g}% interval "
        f"{facts['precision_low']:.1%} to {facts['precision_high']:.1%}); "
        f"in truth {facts['true_precision']:.1%} of its labels are right.",
        markup=False,
    )
    notify(f"to judge pairs in a browser: winnow audit serve {typed(out)}")
    notify(f"next: open {typed(page)}")
    return facts
