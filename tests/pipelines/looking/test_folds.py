from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys.ids import digest
from labeling.schemas import PLACEMENTS
from pipelines.looking.folds import LARGEST, N_FOLDS, make_folds

placed = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 30)), max_size=60)


def _images(n: int) -> pa.Array:
    return pa.array(sorted(digest(str(number)) for number in range(n)))


def _placements(images: pa.Array, pairs: list[tuple[int, int]], n_hosts: int) -> pa.Table:
    rows = [
        {
            "image_id": images[image].as_py(),
            "page_id": digest(f"page {page}"),
            "host": f"{page % n_hosts}.org",
        }
        for image, page in pairs
    ]
    return pa.Table.from_pylist(rows, PLACEMENTS.arrow)


@given(placed, st.integers(1, 31))
def test_images_that_share_a_host_or_a_page_are_in_one_fold(
    pairs: list[tuple[int, int]], n_hosts: int
) -> None:
    images = _images(40)
    folds = make_folds(images, _placements(images, pairs, n_hosts))
    assert ((folds.fold >= 0) & (folds.fold < N_FOLDS)).all()
    assert np.bincount(folds.fold, minlength=N_FOLDS).max() <= 2 * LARGEST * 40
    for image, page in pairs:
        for other, its_page in pairs:
            same_page = page == its_page and folds.by in ("host", "page")
            same_host = page % n_hosts == its_page % n_hosts and folds.by == "host"
            if same_page or same_host:
                assert folds.fold[image] == folds.fold[other]


def test_a_host_of_most_images_is_cut_by_pages_and_a_page_of_most_by_images() -> None:
    images = _images(40)
    by_host = make_folds(images, _placements(images, [(n, n) for n in range(40)], 40))
    by_page = make_folds(images, _placements(images, [(n, n // 2) for n in range(40)], 1))
    by_image = make_folds(images, _placements(images, [(n, 0) for n in range(40)], 1))
    assert (by_host.by, by_page.by, by_image.by) == ("host", "page", "image")
    assert all(np.bincount(f.fold).tolist() == [8] * 5 for f in (by_host, by_page, by_image))


def test_the_order_of_the_placements_does_not_matter() -> None:
    images, rng = _images(40), np.random.default_rng(0)
    table = _placements(images, [(n, n // 3) for n in range(40)], 9)
    other = table.take(pa.array(rng.permutation(len(table))))
    assert np.array_equal(make_folds(images, table).fold, make_folds(images, other).fold)
