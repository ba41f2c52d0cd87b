"""The command line ``winnow``: its commands in the order of the work, and its errors.

A command imports what it needs when it runs, so that help is printed at once. Results go to stdout,
progress to stderr; the last line names the next command.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import click

from curation.runs.durable import FULL
from labeling.errors import InputError, WinnowError
from labeling.secrets import masked
from pipelines.commands.audit import audit
from pipelines.commands.config import config
from pipelines.commands.delivery import evaluate, export, report, train
from pipelines.commands.evidence import evidence
from pipelines.commands.inspect import inspect, plan, status
from pipelines.commands.label import demo, label
from pipelines.commands.options import as_options
from pipelines.commands.select import look, select
from pipelines.commands.study import study
from pipelines.run import events
from pipelines.run.events import emit

EXIT_CODES = """
Exit codes: 0 done; 2 wrong usage or configuration; 3 an input is refused; 4 the result is below
the limit asked for; 130 interrupted;
143 terminated: repeat the command to continue.
"""

COMMANDS = (
    demo,
    label,
    audit,
    evidence,
    look,
    select,
    export,
    train,
    evaluate,
    study,
    report,
    plan,
    status,
    inspect,
    config,
)
"""In the order of the help."""


class _Commands(click.Group):
    """Commands in the order of the work, and winnow's errors as sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _terminations_interrupt() as terminated, _full_disks_refused():
                return super().invoke(ctx)
        except WinnowError as error:
            with suppress(OSError):  # the disk of a log may be full too
                if ctx.params.get("verbose"):
                    _print_traceback(type(error), error, error.__traceback__)
                else:
                    _print_error(error)
            sys.exit(error.exit_code)
        except click.UsageError as error:
            facts = {} if error.ctx is None else {"command": error.ctx.command_path}
            message = error.format_message()
            if not emit("error", message=message, facts=facts, help="", exit_code=error.exit_code):
                raise
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted: repeat the command to continue", err=True)
            sys.exit(143 if terminated else 130)


@contextmanager
def _full_disks_refused() -> Iterator[None]:
    """Raise `InputError` where no stage is written and a disk is full, also that of the output."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in FULL:
            raise
        _discard_output()
        raise InputError(
            f"writing failed: {error.strerror}",
            facts={"file": error.filename or "standard output, or a file of the run"},
            help="finished work is kept: make room, then run it again",
        ) from error


def _discard_output() -> None:
    """Forget what standard output holds, which Python would write again when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())


@contextmanager
def _terminations_interrupt() -> Iterator[list[int]]:
    """Have SIGTERM, which batch systems send before they kill, do what Ctrl-C does.

    Yields
    ------
    list
        The signals that came.
    """
    came: list[int] = []
    process = os.getpid()

    def interrupt(number: int, frame: Any) -> None:
        if os.getpid() != process:  # a forked worker, which its parent ends
            os._exit(128 + number)
        came.append(number)
        # The handler of the moment: a training first finishes its step and writes a checkpoint.
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)
        else:  # in the background of a shell Ctrl-C is ignored
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(cls=_Commands, epilog=EXIT_CODES, commands=COMMANDS)
@click.version_option(importlib.metadata.version("winnow"), prog_name="winnow")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks.")
@click.option(
    "--progress",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Progress and errors on stderr for people, or a JSON object a line.",
)
def main(verbose: bool, progress: str) -> None:
    """Turn noisy web signals into image training sets.

    A run folder holds every stage of one job: `label` makes the candidates, `audit` has people
    judge a few hundred of them, `select` keeps the best third and measures its precision, `export`
    writes WebDataset shards, `train` and `evaluate` show what they are worth, `report` sums up.

    New here? `winnow demo` does all of it on a miniature web in two minutes.
    """
    events.ON = progress == "json"
    handler = logging.StreamHandler()
    handler.setFormatter(_MaskedFormatter(logging.BASIC_FORMAT))
    # Before libraries are imported, to mute warnings.
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    sys.excepthook = _print_traceback


def _print_error(error: WinnowError) -> None:
    from labeling.taxonomy.confusables import visible

    facts = {name: str(value) for name, value in error.facts.items()}
    remedy = as_options(error.help)
    if emit("error", message=error.message, facts=facts, help=remedy, exit_code=error.exit_code):
        return

    def printable(text: object) -> str:
        return visible(masked(text))

    head, *rest = error.message.splitlines()
    click.secho(f"error: {printable(head)}", bold=True, err=True)
    for line in rest:
        click.echo(f"       {printable(line)}", err=True)
    for name, value in error.facts.items():
        click.echo(f"  {printable(name)}: {printable(value)}", err=True)
    if error.help:
        click.echo(f"  help: {printable(remedy)}", err=True)


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    lines = traceback.format_exception(kind, error, trace)
    click.echo(masked("".join(lines)), err=True, nl=False)


class _MaskedFormatter(logging.Formatter):
    """The lines of a log, also of libraries, without the keys and passwords in them."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


if __name__ == "__main__":
    main()
