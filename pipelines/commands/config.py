"""The commands ``winnow config show`` and ``winnow config check``."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.commands.options import AbsolutePath, config_argument, print_next, set_option
from pipelines.run.paths import typed


@click.group()
def config() -> None:
    """Show all settings of a configuration or a run, or check a configuration."""


@config.command()
@click.argument("source", type=AbsolutePath(exists=True), metavar="CONFIG_OR_RUN")
@set_option
def show(source: Path, settings: tuple[str, ...]) -> None:
    """Show every setting with its value, as TOML: of a file with the defaults, or of a run."""
    import tomli_w

    from labeling.secrets import masked_values
    from pipelines.run.config import Config, read_config
    from pipelines.run.saved_config import load_config

    read = load_config if source.is_dir() else read_config
    content = read(source, settings).model_dump(mode="json", exclude_none=True)
    inputs = Config.input_kinds()
    # TOML has no null, and `site = []` would forbid a section [[site]] after it.
    content = {key: value for key, value in content.items() if value or key not in inputs}
    click.echo(tomli_w.dumps(masked_values(content)), nl=False)


@config.command()
@config_argument
@set_option
def check(config: Path, settings: tuple[str, ...]) -> None:
    """Check the keys of CONFIG, find its inputs, read its taxonomy and truths; make nothing.

    Headers of tables are read too. Every mistake is listed, with its line.
    """
    from labeling.secrets import masked
    from pipelines.inspecting.check import check_inputs
    from pipelines.run.config import read_config

    for path, n, unit in check_inputs(read_config(config, settings)):
        click.echo(f"{masked(path)}  {n:,} {unit.removesuffix('s') if n == 1 else unit}")
    print_next(f"winnow plan {typed(config)}")
