from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.objects.paths import path_of
from labeling.readers.image_files import Located, Locator
from tests.buckets import put

PARTS = st.lists(st.sampled_from(["", ".", "..", "...", "a", "b.jpg", "é ", "a\n", "\ud800", "\0"]))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("b.jpg", "a/b.jpg", "a/a/b.jpg", ".../b.jpg", "é /a\n"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(name.encode())
    (folder.parent / "b.jpg").write_bytes(b"outside")
    return folder


def expected(path: str, base: Path) -> Located | None:
    """Return the image at a path by the rules of `pathlib`."""
    location = PurePosixPath(path)
    location = location.relative_to(base) if location.is_relative_to(base) else location
    if (
        location.is_absolute()
        or ".." in location.parts
        or not path.isprintable()
        and "\n" not in path
    ):
        return None
    if not (base / location).is_file():
        return None
    content = (base / location).read_bytes()
    return Located(ids.digest(content), str(location), len(content))


@given(PARTS.map("/".join), st.sampled_from(["", "base/", "base//"]))
def test_a_path_is_found_as_pathlib_reads_it(base: Path, path: str, start: str) -> None:
    path = start.replace("base", str(base)) + path
    assert Locator(base, ()).locate(path) == expected(path, base)


def test_paths_may_start_from_a_relative_folder(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base)
    content = (base / "a" / "b.jpg").read_bytes()
    located = Located(ids.digest(content), "b.jpg", len(content))
    locator = Locator(Path("a"), ())
    assert (
        locator.locate("a/b.jpg") == locator.locate("./b.jpg") == locator.locate("b.jpg") == located
    )


def test_addresses_are_read_below_the_folders_that_the_settings_name(bucket: str) -> None:
    for name in ("crawl/1.jpg", "other/2.jpg", "elsewhere/3.jpg"):
        put(f"{bucket}/{name}", name.encode())
    locator = Locator(path_of(f"{bucket}/crawl"), (), template=f"{bucket}/other/{{image}}")
    assert locator.locate(f"{bucket}/crawl/1.jpg") == (ids.digest(b"crawl/1.jpg"), "1.jpg", 11)
    url = f"{bucket}/other/2.jpg"
    assert locator.locate("2.jpg") == locator.locate(url) == (ids.digest(b"other/2.jpg"), url, 11)
    for elsewhere in (f"{bucket}/elsewhere/3.jpg", f"{bucket}/crawl-of-others/1.jpg"):
        assert locator.locate(elsewhere) == (ids.digest(elsewhere), elsewhere, 0)
    assert locator.locate("../elsewhere/3.jpg") is None
    assert locator.locate(f"{bucket}/crawl/../elsewhere/3.jpg") is None
    for nothing in ("missing.jpg", ".", "x" * 1025, "a\0", "\ud800"):
        assert Locator(path_of(bucket), ()).locate(nothing) is None
