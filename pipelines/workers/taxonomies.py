"""The taxonomy of a run, parsed once in each process."""

from __future__ import annotations

from labeling.taxonomy.published import TaxonomyFiles, pinned, read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.workers.cached import Cache

_TAXONOMIES: Cache[Taxonomy] = Cache()


def taxonomy_at(files: TaxonomyFiles) -> Taxonomy:
    """Return the taxonomy of some files.

    With digests in `files` that content is returned or an `InputError` raised, and no file is read
    that was read before; without, the files are digested at every call.
    """
    files = pinned(files)
    return _TAXONOMIES.get(files, lambda: read_taxonomy(files))
