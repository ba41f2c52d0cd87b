"""`winnow audit serve`: the audit page, until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from curation.runs.lock import locked
from curation.runs.stage import Stage
from labeling.errors import ConfigError
from pipelines.page.answers import import_journals
from pipelines.page.journal import open_journal
from pipelines.run.config import Config
from pipelines.run.progress import notify

if TYPE_CHECKING:
    from pipelines.page.desk import Desk

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")

PACKAGES = ("starlette", "uvicorn")
"""Those of the extra ``app``."""


def serve(
    config: Config,
    run_dir: Path,
    auditor: str,
    port: int = 0,
    allow_hosts: Sequence[str] = (),
    until_width: float | None = None,
    known: Path | None = None,
) -> Stage | None:
    """Show the audit page of a run until it is interrupted; then import its verdicts.

    Parameters
    ----------
    config
        Settings of the run.
    run_dir
        Run folder with candidates.
    auditor
        Name of the person who judges, for the journal.
    port
        Port on this machine; 0 for any that is free.
    allow_hosts
        Further names that the page may be asked for, as through a tunnel.
    until_width
        Width of the interval that a look at the precision gives the number of pairs for.
    known
        File of known answers; by default that of the settings.

    Returns
    -------
    Stage or None
        The judgements; None if none counts.

    Raises
    ------
    ConfigError
        If the extra ``app`` is not installed, the port is taken, or the auditor's name is not
        valid.
    """
    _require_packages()
    from pipelines.page.desk import WIDTH, Desk

    with open_journal(run_dir, auditor) as journal:
        n_before = len(journal.entries)
        desk = Desk(config, run_dir, journal, until_width or WIDTH, known)
        _run(desk, port, (*HOSTS, *allow_hosts))
        if len(journal.entries) == n_before:
            return None
    with locked(run_dir):
        return import_journals(run_dir)


def _require_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            "the audit page needs packages that are not installed",
            facts={"missing": ", ".join(missing)},
            help="pip install 'winnow[app]'",
        )


def _run(desk: Desk, port: int, hosts: Sequence[str]) -> None:
    import uvicorn

    from pipelines.page.app import make_app
    from pipelines.page.guard import LOGIN

    token = secrets.token_urlsafe(32)
    # Interrupted from the address on: uvicorn raises it again once the page has ended.
    with _listen(port) as listening, suppress(KeyboardInterrupt):
        address = f"http://{HOST}:{listening.getsockname()[1]}{LOGIN}{token}"
        notify(f"open {address}")
        notify("the address works once; Ctrl-C ends the page and imports the verdicts")
        settings = uvicorn.Config(
            make_app(desk, token, hosts),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(settings).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # from now on a browser waits; the address is printed before the page is
    except OSError as error:
        listening.close()
        raise ConfigError(
            "the audit page cannot listen",
            facts={"port": port, "cause": error.strerror},
            help="give a free port, or leave `--port` out",
        ) from error
    return listening
