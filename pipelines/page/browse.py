"""The routes of the audit page that look at the candidates of a run, and at other thresholds."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labeling.errors import InputError
from pipelines.browsing.index import Index
from pipelines.browsing.labels import LabelTable
from pipelines.browsing.opening import Opening
from pipelines.page.desk import Desk
from pipelines.page.pictures import picture_response
from pipelines.page.requests import content_of, number_in, share_in

PAIRS = 48
"""Pairs of a label that are shown at a time."""

WHICH = ("all", "kept", "dropped")


def browse_routes(desk: Desk) -> list[Route]:
    """Return the routes; those about pairs are of one version of the index."""
    page = _Browse(desk)
    return [
        Route("/index", page.state),
        Route("/labels/{version}", page.labels),
        Route("/pairs/{version}", page.pairs),
        Route("/pair/{version}/{number:int}", page.pair),
        Route("/pair-image/{version}/{number:int}", page.image),
        Route("/tuning/{version}", page.tuning),
        Route("/edges/{version}", page.edges),
        Route("/select", page.select, methods=["POST"]),
    ]


class _Browse:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._opening = Opening(desk.config, desk.run_dir)
        self._table = functools.lru_cache(maxsize=1)(self._label_table)

    def state(self, request: Request) -> Response:
        """Return whether the index is there."""
        return JSONResponse(self._opening.state())

    def _index(self, request: Request) -> Index:
        return self._opening.index(request.path_params["version"])

    def _label_table(self, index: Index) -> LabelTable:
        return LabelTable(index.pairs, index.taxonomy)

    def labels(self, request: Request) -> Response:
        """Return a page of the table of labels."""
        asked = request.query_params
        table = self._table(self._index(request))
        page = table.page(
            asked.get("sort", "n"),
            asked.get("falling") == "1",
            asked.get("text", ""),
            asked.get("few") == "1",
            number_in(asked, "start"),
        )
        return JSONResponse(page)

    def pairs(self, request: Request) -> Response:
        """Return pairs of a label, the most probable first."""
        index, asked = self._index(request), request.query_params
        which, start = asked.get("which", "all"), number_in(asked, "start")
        if which not in WHICH:
            raise InputError(
                "there are no such pairs", facts={"which": which}, help="give all, kept or dropped"
            )
        code = index.taxonomy.code(asked.get("label", ""))
        scope = index.scope(code, False)
        rows = np.arange(scope.size)
        if which != "all":
            rows = np.flatnonzero((scope.cut(index.pairs.reason) == 0) == (which == "kept"))
        numbers = scope.numbers(rows[start : start + PAIRS])
        shown = [index.pair(number) for number in numbers.tolist()]
        name = index.taxonomy.display_name(code)
        return JSONResponse({"name": name, "n": len(rows), "start": start, "rows": shown})

    def pair(self, request: Request) -> Response:
        """Return all labels of a pair's image, their evidence, and texts of the image."""
        index = self._index(request)
        image_id = index.image_id(request.path_params["number"])
        file = index.file(image_id)
        content = {
            "image_id": image_id,
            "location": None if file is None else file.location,
            "labels": index.labels_of_image(image_id),
            "texts": index.texts_of_image(image_id),
        }
        return JSONResponse(content)

    def image(self, request: Request) -> Response:
        """Return the picture of a pair, by its number."""
        index = self._index(request)
        image_id = index.image_id(request.path_params["number"])
        mode = request.query_params.get("mode", "grid")
        return picture_response(index.file(image_id), self._desk.config, mode)

    def tuning(self, request: Request) -> Response:
        """Return what other shares give, of all labels, one, or one and those below it."""
        index, asked = self._index(request), request.query_params
        table = self._desk.tuning(index.stages.selected)
        if asked.get("label"):
            code = index.taxonomy.code(asked["label"])
            table = table | index.tuning(code, asked.get("below") == "1")
            table.pop("chosen", None)
        return JSONResponse(table)

    def edges(self, request: Request) -> Response:
        """Return the pairs next to the threshold of a share."""
        index, asked = self._index(request), request.query_params
        shares = index.pairs.sets["shares"]
        number = int(np.argmin(np.abs(np.array(shares) - share_in(asked.get("share")))))
        sides = index.pairs.sets["edges"][number]
        if asked.get("label"):
            scope = index.scope(index.taxonomy.code(asked["label"]), asked.get("below") == "1")
            sides = {name: side.tolist() for name, side in scope.edges(number)._asdict().items()}
        rows = {name: [index.pair(n) for n in side] for name, side in sides.items()}
        return JSONResponse({"share": shares[number], **rows})

    async def select(self, request: Request) -> Response:
        """Select a share, or again as the last time."""
        content = await content_of(request)
        given = content.get("share")
        share = None if given is None else share_in(given)
        result: dict[str, Any] = await run_in_threadpool(self._desk.select, share)
        return JSONResponse(result)
