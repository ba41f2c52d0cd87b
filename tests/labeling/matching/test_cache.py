from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labeling.matching import cache
from labeling.matching.cache import HEADER, cached_matcher
from labeling.matching.matcher import Matcher, compile_matcher, find
from labeling.matching.surface_forms import NO_STATISTICS, NameStatistics
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

TEXT = "a Navy-Blue T-shirt of an encyclopaedist, and a dog in Straße"


def taxonomy(**names: list[str]) -> Taxonomy:
    labels = [
        Label(label_id, tuple((name, "en") for name in given), (), None, 1)
        for label_id, given in names.items()
    ]
    return build_taxonomy(labels, "test")


@pytest.fixture
def labels() -> Taxonomy:
    return taxonomy(
        navy=["navy blue", "navy"], shirt=["T-shirt"], person=["encyclopaedist"], s=["Strasse"]
    )


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Taxonomy]:
    """Taxonomies that were compiled, in order."""
    calls: list[Taxonomy] = []

    def compile_noted(taxonomy: Taxonomy, statistics: NameStatistics) -> Matcher:
        calls.append(taxonomy)
        return compile_matcher(taxonomy, statistics)

    monkeypatch.setattr(cache, "compile_matcher", compile_noted)
    return calls


def test_a_kept_matcher_is_the_compiled_one(
    tmp_path: Path, labels: Taxonomy, compiled: list[Taxonomy]
) -> None:
    first = cached_matcher(labels, tmp_path / "new")
    again = cached_matcher(labels, tmp_path / "new")
    assert len(compiled) == 1
    assert list(find(again, TEXT)) == list(find(first, TEXT))
    assert len(list(find(again, TEXT))) == 4
    assert again.trie.grows.dtype == bool
    assert not again.trie.vocabulary.letters.flags.writeable
    assert np.array_equal(again.trie.vocabulary.table.key, first.trie.vocabulary.table.key)
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".matcher"]


def test_each_usage_has_its_own_matcher(
    tmp_path: Path, labels: Taxonomy, compiled: list[Taxonomy]
) -> None:
    for statistics in (
        NO_STATISTICS,
        NameStatistics(stop=(("navy",),)),
        NameStatistics(weight=np.array([1.0, 2.0, 1.0, 1.0])),
    ):
        for _ in range(2):
            cached_matcher(labels, tmp_path, statistics)
    assert len(compiled) == 3


def test_each_taxonomy_has_its_own_matcher(tmp_path: Path, labels: Taxonomy) -> None:
    cached_matcher(labels, tmp_path)
    dogs = taxonomy(dog=["dog"])
    for _ in range(2):
        assert [code for code, _, _ in find(cached_matcher(dogs, tmp_path), TEXT)] == [0]


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:HEADER],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:900] + bytes([content[900] ^ 1]) + content[901:],
        lambda content: bytes(len(content)),
        lambda content: b"label_id,names\ncat,cat\n" * 99,
    ],
)
def test_a_damaged_file_is_replaced(
    tmp_path: Path, labels: Taxonomy, compiled: list[Taxonomy], harm: Callable[[bytes], bytes]
) -> None:
    expected = list(find(cached_matcher(labels, tmp_path), TEXT))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    assert list(find(cached_matcher(labels, tmp_path), TEXT)) == expected
    assert len(compiled) == 2
    assert path.read_bytes() == whole


def test_the_file_of_another_taxonomy_is_not_taken(tmp_path: Path, labels: Taxonomy) -> None:
    cached_matcher(labels, tmp_path)
    (other,) = tmp_path.iterdir()
    dogs = taxonomy(dog=["dog"])
    cached_matcher(dogs, tmp_path)
    (mine,) = set(tmp_path.iterdir()) - {other}
    mine.write_bytes(other.read_bytes())
    assert [code for code, _, _ in find(cached_matcher(dogs, tmp_path), TEXT)] == [0]


def test_other_code_makes_another_file(
    tmp_path: Path, labels: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_matcher(labels, tmp_path)
    monkeypatch.setattr(cache, "code_digest", lambda *modules: "changed")
    cached_matcher(labels, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_taxonomy_without_names_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        assert list(find(cached_matcher(taxonomy(thing=[]), tmp_path), TEXT)) == []
