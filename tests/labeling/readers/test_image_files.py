from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.readers.image_files import Located, Locator

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
