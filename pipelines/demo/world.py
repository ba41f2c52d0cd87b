"""Make a miniature web with known truth, and with the errors of a real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.demo.crowd import make_events
from pipelines.demo.records import ImageFile, Page, World, WorldSettings
from pipelines.demo.sites import make_sites

__all__ = ["World", "WorldSettings", "make_world"]

_DEFAULT = WorldSettings()


def make_world(seed: int, settings: WorldSettings = _DEFAULT) -> World:
    """Return the web of a seed: the same seed and settings give the same world.

    Examples
    --------
    >>> tiny = WorldSettings(n_hosts=2, n_pages=3, n_figures=5, n_votes=4, n_searches=1)
    >>> world = make_world(1, tiny)
    >>> len(world.pages), world == make_world(1, tiny), world == make_world(2, tiny)
    (3, True, False)
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    album, hosts, pages = make_sites(rng, settings)
    events, target = make_events(album, pages, rng, settings)
    return World(
        seed=seed,
        settings=settings,
        pictures=tuple(album.pictures),
        files=tuple(_damage(album.files, rng, settings)),
        hosts=tuple(hosts),
        pages=tuple(_declare_old_charset(pages)),
        events=tuple(events),
        brigade_label_id=target,
    )


def _damage(
    files: list[ImageFile], rng: np.random.Generator, settings: WorldSettings
) -> list[ImageFile]:
    """Return the files with some cut short and some missing."""
    n_bad = settings.n_cut_files + settings.n_missing_files
    damaged = list(files)
    for n, file in enumerate(rng.permutation(len(files))[:n_bad].tolist()):
        state = "cut" if n < settings.n_cut_files else "missing"
        damaged[file] = replace(files[file], state=state)
    return damaged


def _declare_old_charset(pages: list[Page]) -> list[Page]:
    """Return the pages with the one in the middle not in UTF-8."""
    middle = len(pages) // 2
    return [
        replace(page, encoding="windows-1252") if number == middle else page
        for number, page in enumerate(pages)
    ]
