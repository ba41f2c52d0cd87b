"""Write a miniature web as the files that a user would have."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from labeling.keys.ids import digest
from pipelines.demo.markup import page_html
from pipelines.demo.painting import draw_logo, draw_scene
from pipelines.demo.records import World
from pipelines.demo.vocabulary import TAXONOMY

_FEEDBACK_COLUMNS = ("event_id", "image", "label", "query", "kind", "user", "position", "time")


def write_world(world: World, out_dir: Path) -> None:
    """Write a world into a folder.

    ``site/<host>/<page>.html`` and ``site/<host>/images/<name>.jpg`` are the web, where
    ``https://<host>/<path>`` is the URL of ``<host>/<path>``; ``taxonomy.jsonl`` and
    ``feedback.csv`` are inputs too. ``truth.csv`` holds image_id and label_id for each label that
    a readable image shows; labels above it are left out, and an image that shows none has no row.
    """
    drawn = [_draw(world, number) for number in range(len(world.pictures))]
    for host in world.hosts:
        (out_dir / "site" / host.name / "images").mkdir(parents=True, exist_ok=True)
    for page in world.pages:
        content = page_html(world, page).encode(page.encoding)
        (out_dir / "site" / world.hosts[page.host].name / page.name).write_bytes(content)
    for file in world.files:
        if file.state != "missing":
            content = drawn[file.picture]
            content = content[: len(content) // 2] if file.state == "cut" else content
            name = world.hosts[file.host].name
            (out_dir / "site" / name / "images" / file.name.text).write_bytes(content)
    shutil.copyfile(TAXONOMY, out_dir / "taxonomy.jsonl")
    _write_csv(out_dir / "feedback.csv", _FEEDBACK_COLUMNS, _feedback_rows(world))
    _write_csv(out_dir / "truth.csv", ("image_id", "label_id"), _truth_rows(world, drawn))


def _draw(world: World, number: int) -> bytes:
    rng = np.random.Generator(np.random.PCG64([world.seed, number]))
    label_ids = world.pictures[number]
    return draw_scene(label_ids, rng) if label_ids else draw_logo(rng)


def _feedback_rows(world: World) -> Iterable[Sequence[object]]:
    """Yield a row for each event; the URL of a picture is that of its first good file."""
    file_of: dict[int, int] = {}
    for number, file in enumerate(world.files):
        known = file_of.setdefault(file.picture, number)
        if world.files[known].state != "whole" and file.state == "whole":
            file_of[file.picture] = number
    for e in world.events:
        time = datetime.fromtimestamp(e.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = world.image_url(file_of[e.picture])
        yield e.event_id, url, e.label_id, e.query, e.kind, e.user, e.position, time


def _truth_rows(world: World, drawn: Sequence[bytes]) -> Iterable[Sequence[object]]:
    readable = {file.picture for file in world.files if file.state == "whole"}
    return sorted(
        (digest(drawn[picture]), label_id)
        for picture in readable
        for label_id in world.pictures[picture]
    )


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
