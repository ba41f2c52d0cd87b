from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.matching import boilerplate
from labeling.matching.boilerplate import DISCOUNT, REASONS, Discounted
from labeling.schemas import PLACEMENTS, SIGNALS


def tables(rows: list[tuple[str, int, str, str, str]]) -> tuple[pa.Table, pa.Table]:
    """Make signals and placements of (host, page, image, source, text)."""
    rows_of_signals: list[dict[str, Any]] = []
    for host, page, image, source, text in rows:
        key = {
            "image_id": ids.digest(image),
            "page_id": ids.digest(f"{host}/{page}"),
            "host": host,
        }
        rows_of_signals.append({**key, "source": source, "text": text, "weight": 0.5, "lang": None})
    signals = pa.Table.from_pylist(rows_of_signals, schema=SIGNALS.arrow)
    names = PLACEMENTS.arrow.names
    placements = signals.select(names).group_by(names).aggregate([]).cast(PLACEMENTS.arrow)
    return signals, placements


def site(host: str, n_pages: int, n_slogans: int) -> list[tuple[str, int, str, str, str]]:
    rows = [(host, n, f"{host}-{n}", "alt", f"photo {n}") for n in range(n_pages)]
    slogan = "Fresh apples daily"
    return rows + [(host, n, f"{host}-{n}", "title", slogan) for n in range(n_slogans)]


def discount(signals: pa.Table, placements: pa.Table) -> Discounted:
    seen = pa.concat_tables(
        [boilerplate.text_occurrences(signals), boilerplate.image_occurrences(placements)]
    )
    hosts = boilerplate.count_pages(boilerplate.page_occurrences(placements))
    return boilerplate.discount(
        signals, boilerplate.find_boilerplate(boilerplate.count_pages(seen), hosts)
    )


def counts(discounted_rows: Discounted) -> dict[str, int]:
    return {r: n for i, r in enumerate(REASONS) if (n := int((discounted_rows.reason == i).sum()))}


def discounted(signals: pa.Table, placements: pa.Table) -> list[tuple[str, str]]:
    discounted_rows = discount(signals, placements).signals.to_pylist()
    return [(r["host"], r["text"]) for r in discounted_rows if r["weight"] < 0.5]


@pytest.mark.parametrize(
    ("n_pages", "n_slogans", "expected"),
    [(10, 5, 5), (10, 4, 0), (4, 4, 0), (16, 5, 5), (17, 5, 0), (20, 6, 6), (40, 11, 0)],
)
def test_a_text_on_most_pages_is_discounted(n_pages: int, n_slogans: int, expected: int) -> None:
    discounted_rows = discount(*tables(site("a.org", n_pages, n_slogans)))
    weights = discounted_rows.signals["weight"].to_numpy()
    assert (weights == np.float32(0.5) * np.float32(DISCOUNT)).sum() == expected
    assert (weights == 0.5).sum() == n_pages + n_slogans - expected
    assert counts(discounted_rows) == ({"boilerplate_text": expected} if expected else {})


def test_many_signals_of_one_page_are_one_page() -> None:
    rows = [("a.org", n % 4, f"i{n}", "title", "Our shop") for n in range(40)]
    assert discounted(*tables(rows)) == []


def test_the_same_text_elsewhere_or_of_another_source_keeps_its_weight() -> None:
    rows = site("a.org", 10, 10)
    rows += [("a.org", 0, "x", "caption", "Fresh apples daily")]
    rows += [("b.org", 0, "y", "title", "Fresh apples daily")]
    rows += [("", n, f"z{n}", "title", "Fresh apples daily") for n in range(10)]
    assert discounted(*tables(rows)) == [("a.org", "Fresh apples daily")] * 10


def test_case_and_blanks_do_not_hide_a_text() -> None:
    rows = [("a.org", n, f"i{n}", "title", " Our SHOP "[n % 2 :]) for n in range(10)]
    assert len(discounted(*tables(rows))) == 10


def test_a_logo_is_discounted_with_all_texts_about_it() -> None:
    rows = site("a.org", 10, 0)
    rows += [("a.org", n, "logo", "alt", f"apple pie {n}") for n in range(10)]
    discounted_rows = discount(*tables(rows))
    assert discounted(*tables(rows)) == [("a.org", f"apple pie {n}") for n in range(10)]
    assert counts(discounted_rows) == {"boilerplate_image": 10}


def test_no_signals_give_no_signals() -> None:
    discounted_rows = discount(SIGNALS.empty(), PLACEMENTS.empty())
    assert discounted_rows.signals.equals(SIGNALS.empty())
    assert len(discounted_rows.reason) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=60), st.integers(1, 4))
def test_pages_are_counted_once_however_the_things_are_divided(
    rows: list[tuple[int, int]], n_parts: int
) -> None:
    halves = np.array(rows, np.uint64).reshape(-1, 2)
    key = ids.halves_to_binary(halves)
    seen = pa.Table.from_arrays(
        [key, pa.array(halves[:, 0] * np.uint64(7))], schema=boilerplate.OCCURRENCES
    )
    part = halves[:, 0] % np.uint64(n_parts)
    counted = [boilerplate.count_pages(seen.filter(pa.array(part == n))) for n in range(n_parts)]
    expected = {
        (thing, 7 * thing, n)
        for thing in range(3)
        if (n := len({page for t, page in rows if t == thing})) >= boilerplate.MIN_PAGES
    }
    discounted_rows = pa.concat_tables(counted).to_pylist()
    assert {(r["thing"], r["host"], r["n_pages"]) for r in discounted_rows} == expected


row = st.tuples(
    st.sampled_from(["a.org", "b.org", ""]),
    st.integers(0, 8),
    st.sampled_from(["i", "j"]),
    st.sampled_from(["alt", "title"]),
    st.sampled_from(["x", "y", "X"]),
)


@settings(deadline=None)
@given(st.lists(row, max_size=60), st.data())
def test_any_partition_by_host_and_any_order_give_the_same(
    rows: list[tuple[str, int, str, str, str]], data: st.DataObject
) -> None:
    def run(part: list[tuple[str, int, str, str, str]]) -> list[str]:
        return [str(r) for r in discount(*tables(part)).signals.to_pylist()]

    whole = sorted(run(rows))
    shuffled = data.draw(st.permutations(rows))
    by_host = [[r for r in shuffled if r[0] == host] for host in ("b.org", "", "a.org")]
    assert sorted(line for part in by_host for line in run(part)) == whole
    assert sorted(run(shuffled)) == whole
