"""Features of the candidates: the input of the scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.label_hierarchy import Relatives, find_relatives
from curation.pairs.pair_keys import PAIR, hash_halves
from labeling.checks import check
from labeling.keys.arrays import Floats, Floats32, Ints, Mask
from labeling.keys.ids import rank, to_halves
from labeling.keys.runs import rank_in_run, run_sizes, run_starts
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Codes, Taxonomy

N_FOLDS = 10

GENERAL = (
    "n_votes",
    "vote_share",
    "noisy_or",
    "log_ambiguity",
    "level",
    "log_label_count",
    "label_mean",
    "log_image_count",
    "rank_in_image",
    "ancestors_max",
    "descendants_max",
    "siblings_max",
    "leads_siblings",
)
"""Features that are not of one source, in their order."""


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """Statistics of each label over many candidates.

    Attributes
    ----------
    n
        ``int64[n_labels]``: number of candidates.
    noisy_or
        ``float64[n_labels]``: mean of their noisy-or.
    """

    n: Ints
    noisy_or: Floats


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The features of `n` candidates, in the order of the candidates' rows.

    Attributes
    ----------
    names
        One name for each of the `f` features: ``<source>.strength``, …, then `GENERAL`.
    values
        ``float32[n, f]``, finite.
    sources
        The labeling sources, sorted.
    voted, silent
        ``bool[n, n_sources]``: the source votes for the label; it covers the image but does not.
    image, label
        ``int64[n]`` dense code of the image; ``int32[n]`` code of the label in the taxonomy.
    fold
        ``int8[n]`` in 0…9, from a hash of the image id: an image is whole in one fold.
    pairs
        Table of ``image_id`` and ``label_id``.
    relatives, taxonomy
        Related candidates of each image; the labels.
    label_statistics
        Statistics of each label of the taxonomy.
    """

    names: tuple[str, ...]
    values: Floats32
    sources: tuple[str, ...]
    voted: Mask
    silent: Mask
    image: Ints
    label: Codes
    fold: npt.NDArray[np.int8]
    pairs: pa.Table
    relatives: Relatives
    taxonomy: Taxonomy
    label_statistics: LabelStatistics

    def __len__(self) -> int:
        return len(self.label)

    def column(self, name: str) -> Floats32:
        """Return one feature, ``float32[n]``."""
        return self.values[:, self.names.index(name)]

    def take(self, row: Ints) -> FeatureTable:
        """Return the candidates of some rows; their relatives are only those among them."""
        return replace(
            self,
            values=self.values[row],
            voted=self.voted[row],
            silent=self.silent[row],
            image=self.image[row],
            label=self.label[row],
            fold=self.fold[row],
            pairs=self.pairs.take(pa.array(row)),
            relatives=find_relatives(self.image[row], self.label[row], self.taxonomy),
        )


def features(
    candidates: pa.Table,
    taxonomy: Taxonomy,
    sources: Sequence[str] | None = None,
    label_statistics: LabelStatistics | None = None,
) -> FeatureTable:
    """Compute the features of candidates.

    Parameters
    ----------
    candidates
        Table of `labeling.schemas.CANDIDATES`, in any order.
    taxonomy
        The labels; every label of the candidates must be in it.
    sources
        The labeling sources to use; by default all that the candidates name.
    label_statistics
        Statistics that the features of labels are taken from; by default those of these candidates.

    Raises
    ------
    InputError
        For a table of another schema or an unknown label.
    """
    check(candidates, CANDIDATES, where="candidates")
    used = tuple(sorted({*sources})) if sources is not None else sources_of(candidates)
    halves, label = to_halves(candidates["image_id"]), taxonomy.codes(candidates["label_id"])
    image = rank(halves)[0]
    strength, log_pages, log_hosts = _evidence(candidates["evidence"], used)
    voted, silent = vote_masks(candidates, used)
    relatives = find_relatives(image, label, taxonomy)
    noisy_or = 1 - np.prod(1 - strength.astype(np.float64), axis=1)
    if label_statistics is None:
        label_statistics = _label_statistics(noisy_or, label, len(taxonomy))
    general = _general(noisy_or, voted, silent, image, relatives)
    general["log_label_count"] = np.log1p(label_statistics.n)[label]
    general["label_mean"] = label_statistics.noisy_or[label]
    general["log_ambiguity"] = np.log(np.asarray(candidates["ambiguity"], np.float64))
    general["level"] = taxonomy.level[label].astype(np.float64)
    others = np.array([general[name] for name in GENERAL]).T
    columns = (strength, log_pages, log_hosts, silent, others)
    measures = ("strength", "log_pages", "log_hosts", "silent")
    return FeatureTable(
        names=tuple(f"{source}.{measure}" for measure in measures for source in used) + GENERAL,
        values=np.concatenate(columns, axis=1, dtype=np.float32, casting="unsafe"),
        sources=used,
        voted=voted,
        silent=silent,
        image=image,
        label=label,
        fold=(hash_halves(halves) % np.uint64(N_FOLDS)).astype(np.int8),
        pairs=candidates.select(PAIR),
        relatives=relatives,
        taxonomy=taxonomy,
        label_statistics=label_statistics,
    )


def _label_statistics(noisy_or: Floats, label: Codes, n_labels: int) -> LabelStatistics:
    n = np.bincount(label, minlength=n_labels)
    return LabelStatistics(n, np.bincount(label, noisy_or, n_labels) / np.maximum(n, 1))


def sources_of(candidates: pa.Table) -> tuple[str, ...]:
    """Return the labeling sources that vote or are silent anywhere, sorted."""
    voting = pc.struct_field(pc.list_flatten(candidates["evidence"]), "source")
    silent = pc.list_flatten(candidates["silent"])
    return tuple(sorted({*pc.unique(voting).to_pylist(), *pc.unique(silent).to_pylist()}))


def _evidence(evidence: pa.ChunkedArray, sources: tuple[str, ...]) -> tuple[Floats32, ...]:
    """Return strength, log(1 + pages) and log(1 + hosts), each ``float32[n, n_sources]``."""
    items = pc.list_flatten(evidence)
    row, source = _positions(evidence, pc.struct_field(items, "source"), sources)
    used = source >= 0
    dense = []
    for name in ("strength", "n_pages", "n_hosts"):
        values = np.asarray(pc.struct_field(items, name), np.float32)[used]
        filled = np.zeros((len(evidence), len(sources)), np.float32)
        filled[row[used], source[used]] = values if name == "strength" else np.log1p(values)
        dense.append(filled)
    return tuple(dense)


def vote_masks(candidates: pa.Table, sources: tuple[str, ...]) -> tuple[Mask, Mask]:
    """Return the votes for each label, and the sources that cover its image but do not vote.

    Parameters
    ----------
    candidates
        Table with the columns ``evidence`` and ``silent``.

    Returns
    -------
    bool[n, n_sources], bool[n, n_sources]
    """
    evidence, silent = candidates["evidence"], candidates["silent"]
    voting = pc.struct_field(pc.list_flatten(evidence), "source")
    return _mask(evidence, voting, sources), _mask(silent, pc.list_flatten(silent), sources)


def _mask(lists: pa.ChunkedArray, names: pa.ChunkedArray, sources: tuple[str, ...]) -> Mask:
    row, source = _positions(lists, names, sources)
    used = source >= 0
    filled = np.zeros((len(lists), len(sources)), bool)
    filled[row[used], source[used]] = True
    return filled


def _positions(
    lists: pa.ChunkedArray, names: pa.ChunkedArray, sources: tuple[str, ...]
) -> tuple[Ints, Ints]:
    """Return the row and the position in `sources` (-1 if missing) of each list item."""
    n_items = np.asarray(pc.list_value_length(lists), np.int64)
    row = np.repeat(np.arange(len(lists), dtype=np.int64), n_items)
    position = pc.index_in(names, value_set=pa.array(sources, pa.string()))
    return row, np.asarray(pc.fill_null(position, -1), np.int64)


def _general(
    noisy_or: Floats, voted: Mask, silent: Mask, image: Ints, relatives: Relatives
) -> dict[str, Floats]:
    n_votes, n_silent = voted.sum(1), silent.sum(1)
    n_of_image = np.bincount(image)
    siblings_max = relatives.max_siblings(noisy_or)
    return {
        "n_votes": n_votes.astype(np.float64),
        "vote_share": n_votes / np.maximum(n_votes + n_silent, 1),
        "noisy_or": noisy_or,
        "log_image_count": np.log1p(n_of_image)[image],
        "rank_in_image": np.log1p(_rank(noisy_or, image)),
        "ancestors_max": relatives.max_above(noisy_or),
        "descendants_max": relatives.max_below(noisy_or),
        "siblings_max": siblings_max,
        "leads_siblings": (noisy_or > siblings_max).astype(np.float64),
    }


def _rank(values: Floats, image: Ints) -> Ints:
    """Return the number of candidates of the same image with a larger value."""
    by_value = np.argsort(-values)
    # A stable sort of 16-bit codes is a radix sort, several times as fast.
    code = image.astype(np.min_scalar_type(int(image.max(initial=0))))
    order = by_value[np.argsort(code[by_value], kind="stable")]
    starts = run_starts(image[order], values[order])
    rank = np.empty(len(values), np.int64)
    rank[order] = np.repeat(rank_in_run(image[order])[starts], run_sizes(starts, len(values)))
    return rank
