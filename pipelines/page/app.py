"""The audit page as a Starlette application."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from curation.report.templates import templates_in
from curation.report.tuning import STATIC
from labeling.errors import BusyError, InputError, WinnowError
from pipelines.page.browse import browse_routes
from pipelines.page.desk import Desk
from pipelines.page.guard import Guard
from pipelines.page.journal import MODES
from pipelines.page.pictures import picture_response
from pipelines.page.requests import RELOAD, content_of

HERE = Path(__file__).parent


def make_app(desk: Desk, token: str, hosts: Collection[str]) -> Starlette:
    """Return the page of a desk, guarded by `pipelines.page.guard.Guard`.

    Parameters
    ----------
    desk
        The questions, and the journal of their verdicts.
    token
        Opens the page, once.
    hosts
        Names that the page may be asked for.
    """
    page = _Page(desk)
    routes = [
        Route("/", page.judge),
        Route("/queue", page.queue),
        Route("/state", page.state),
        Route("/auditors", page.auditors),
        Route("/image/{number:int}", page.image),
        Route("/evidence/{number:int}", page.evidence),
        Route("/verdicts", page.verdicts, methods=["POST"]),
        Route("/draw", page.draw, methods=["POST"]),
        Route("/look", page.look, methods=["POST"]),
        Route("/browse", page.view("browse.html")),
        Route("/tune", page.view("tune.html")),
        *browse_routes(desk),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        Mount("/tuning-module", StaticFiles(directory=STATIC)),
    ]
    guard = Middleware(Guard, token=token, hosts=hosts)
    return Starlette(
        routes=routes,
        middleware=[guard],
        exception_handlers={WinnowError: _explain, HTTPException: _refuse},
    )


class _Page:
    """The routes of a desk; the tab that was opened last is the only one that may write."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tabs = itertools.count(1)
        self._tab = 0
        self._templates = templates_in(HERE / "templates", is_html=True)

    def judge(self, request: Request) -> Response:
        """Return the page, which takes over from any other tab."""
        self._tab = next(self._tabs)
        return self._render("judge.html", tab=self._tab, state=self._desk.state())

    def view(self, name: str) -> Callable[[Request], Response]:
        """Return the route of a view that only reads the verdicts."""
        return lambda request: self._render(name)

    def _render(self, name: str, **values: object) -> Response:
        template, auditor = self._templates.get_template(name), self._desk.journal.auditor
        return HTMLResponse(template.render(run=self._desk.run_dir.name, auditor=auditor, **values))

    def queue(self, request: Request) -> Response:
        """Return the open questions."""
        return JSONResponse(self._desk.queue())

    def state(self, request: Request) -> Response:
        """Return the counts."""
        return JSONResponse(self._desk.state())

    def auditors(self, request: Request) -> Response:
        """Return the mistakes of auditors, and their agreement."""
        return JSONResponse(self._desk.auditors())

    def image(self, request: Request) -> Response:
        """Return the picture of a question, by its number."""
        desk, number = self._desk, request.path_params["number"]
        mode = request.query_params.get("mode", "one")
        return picture_response(desk.file(number), desk.config, mode)

    def evidence(self, request: Request) -> Response:
        """Return the evidence for a pair."""
        return JSONResponse(self._desk.evidence(request.path_params["number"]))

    async def verdicts(self, request: Request) -> Response:
        """Write the verdicts of a screen; they are on disk before the answer."""
        content = await content_of(request)
        self._refuse_old_tab(content)
        mode, ms = content.get("mode"), content.get("ms")
        if mode not in MODES or type(ms) is not int or ms < 0:
            raise InputError("verdicts are not in the form of the page", help=RELOAD)
        verdicts = _verdicts(content.get("verdicts"))
        await run_in_threadpool(self._desk.judge, verdicts, mode, ms)
        return JSONResponse(await run_in_threadpool(self._desk.state))

    async def draw(self, request: Request) -> Response:
        """Draw further pairs, once all are judged."""
        self._refuse_old_tab(await content_of(request))
        n_new = await run_in_threadpool(self._desk.draw)
        return JSONResponse({"new": n_new})

    async def look(self, request: Request) -> Response:
        """Return the precision so far; the look is counted."""
        self._refuse_old_tab(await content_of(request))
        return JSONResponse(await run_in_threadpool(self._desk.look))

    def _refuse_old_tab(self, content: Mapping[str, Any]) -> None:
        if content.get("tab") != self._tab:
            raise HTTPException(409, "taken over by another tab")


def _verdicts(given: object) -> dict[int, str]:
    """Return verdicts by number of the question, which is a text in JSON."""
    if isinstance(given, dict) and given:
        numbers = [n for n in given if n.isascii() and n.isdigit() and len(n) < 10]
        if len(numbers) == len(given) and all(isinstance(v, str) for v in given.values()):
            return {int(n): given[n] for n in numbers}
    raise InputError("verdicts are not in the form of the page", help=RELOAD)


def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, WinnowError)
    # A full disk may have room later: what is answered with 503 is sent again.
    may_pass = isinstance(error, BusyError) or isinstance(error.__cause__, OSError)
    status = 503 if may_pass else 400
    facts = {name: str(value) for name, value in error.facts.items()}
    return JSONResponse({"error": error.message, "facts": facts, "help": error.help}, status)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)
