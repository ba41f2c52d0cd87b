from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import ConfigError
from pipelines.studies.settings import StudySettings
from pipelines.studies.subsets import nested_rows, sizes_of

ids = st.lists(st.integers(0, 2**128 - 1), unique=True, min_size=1, max_size=60).map(
    lambda numbers: [f"{number:032x}" for number in numbers]
)


@settings(max_examples=30)
@given(ids, st.data())
def test_a_larger_subset_holds_the_smaller(image_ids: list[str], data: st.DataObject) -> None:
    small = data.draw(st.integers(1, len(image_ids)))
    large = data.draw(st.integers(small, len(image_ids)))
    seed = data.draw(st.integers(0, 2**32))
    first, second = (set(nested_rows(image_ids, n, seed).tolist()) for n in (small, large))
    assert (len(first), len(second)) == (small, large)
    assert first <= second


@settings(max_examples=30)
@given(ids, st.data())
def test_label_sets_share_the_images_that_both_have(
    image_ids: list[str], data: st.DataObject
) -> None:
    fewer = data.draw(st.lists(st.sampled_from(image_ids), unique=True, min_size=1))
    n = data.draw(st.integers(1, len(fewer)))
    of_all = {image_ids[row] for row in nested_rows(image_ids, n, 0)}
    of_fewer = {fewer[row] for row in nested_rows(fewer, n, 0)}
    assert of_all & set(fewer) <= of_fewer


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 9))
def test_sizes_in_equal_ratios_have_both_ends(smallest: int, more: int, n: int) -> None:
    study = StudySettings(run="r", smallest=smallest, n_sizes=n)
    sizes = sizes_of(study, {"all": smallest + more})
    assert (sizes[0], sizes[-1]) == (smallest, smallest + more)
    assert sizes == sorted(set(sizes))
    assert 2 <= len(sizes) <= n


def test_sizes_end_with_what_every_label_set_has() -> None:
    study = StudySettings(run="r", smallest=10, n_sizes=3)
    assert sizes_of(study, {"all": 5000, "selected": 1000}) == [10, 100, 1000]


@pytest.mark.parametrize("asked", [{"sizes": (10, 1001)}, {"smallest": 1000}])
def test_a_size_that_a_label_set_lacks_is_refused(asked: dict[str, object]) -> None:
    study = StudySettings(run="r", **asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="larger than the label set selected") as caught:
        sizes_of(study, {"all": 5000, "selected": 1000})
    assert caught.value.facts["selected"] == "1,000 images"
