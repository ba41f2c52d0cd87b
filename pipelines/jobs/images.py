"""Images that the rows of tables name: compared by size, as the files of sites are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.runs.stage import Stage
from labeling.objects.ahead import in_order
from labeling.objects.paths import is_remote, join, path_of
from labeling.readers.image_files import Locator
from labeling.schemas import IMAGES, REJECTS
from pipelines.run.config import Config


def changed_images(config: Config, signals: Stage) -> list[str]:
    """Return the images that have another size than when they were read, are missing, or are back.

    Which images a table names is known only after it was read, so that the fingerprint of the
    signals does not hold them. Images in archives, tars and sites are not compared: those files
    are in it.
    """
    base = path_of(config.base)
    changed = changed_sizes(base, _of_tables(config, signals.table(IMAGES)))
    return changed + list(_restored(config, signals.table(REJECTS)))


def changed_sizes(base: Path, images: pa.Table) -> list[str]:
    """Return the locations from `base` of files that are missing or have another ``n_bytes``."""
    locations, before = images["location"].to_pylist(), images["n_bytes"].to_pylist()
    paths = (join(base, location) for location in locations)
    sizes = in_order(_size, paths, is_remote(base, locations))
    compared = zip(locations, before, sizes, strict=True)
    return [location for location, n_bytes, now in compared if now != n_bytes]


def _of_tables(config: Config, images: pa.Table) -> pa.Table:
    """Return the images that are files of their own, outside of all sites."""
    location = images["location"]
    is_stored = pc.match_substring(location, "#")
    is_file = pc.and_not(pc.greater(images["n_bytes"], 0), is_stored)
    for site in config.site:
        is_file = pc.and_not(is_file, pc.starts_with(location, f"{site.path}/"))
    return images.filter(is_file)


def _restored(config: Config, rejects: pa.Table) -> Iterator[str]:
    """Yield the images that were missing or empty and can be read now.

    Where tables have several templates of paths, an image must be at each of them: a reject does
    not name its template, and one that stays missing must not make the signals again each time.
    """
    reasons = pa.array(["image_missing", "empty_image"])
    missing = rejects.filter(pc.is_in(rejects["reason"], reasons))["value"]
    templates = {entry.image_path for entry in config.signals}
    templates |= {entry.image_path for entry in config.feedback}
    locators = [Locator(path_of(config.base), (), template=template) for template in templates]
    for reference in pc.unique(missing).to_pylist():
        located = [each.locate(reference) for each in locators]
        is_there = located and all(image is not None and image.n_bytes for image in located)
        if "://" not in reference and is_there:
            yield reference


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
