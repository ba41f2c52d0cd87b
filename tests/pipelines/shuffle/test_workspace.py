"""A run whose workers share an object store has the bytes of one that is all on one disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from curation.runs.stage import Stage, current
from labeling.errors import ConfigError, IntegrityError
from labeling.readers import image_files
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.jobs.label import label
from pipelines.run.config import Config, read_config
from pipelines.shuffle import storage
from pipelines.shuffle.engine import Split
from pipelines.shuffle.workspace import Workspace
from tests.buckets import names_of, put_folder
from tests.labeling.warcs import Response, members, record


def files_of(run_dir: Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for name in ("signals", "candidates"):
        stage = current(run_dir, name)
        assert isinstance(stage, Stage)
        digests |= {entry["name"]: entry["sha256"] for entry in stage.manifest["files"]}
    return digests


@pytest.fixture
def shared(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a folder of objects; temporary files are kept apart from other runs'."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return f"{bucket}/work"


def settings(shop: Path, work_dir: str) -> Config:
    return read_config(shop, [f'label.work_dir="{work_dir}"'])


def compare(shop: Path, tmp_path: Path, work_dir: str, options: Sequence[str] = ()) -> None:
    label(read_config(shop), tmp_path / "plain")
    label(settings(shop, work_dir), tmp_path / "shared", options)
    assert files_of(tmp_path / "shared") == files_of(tmp_path / "plain")
    assert not any((tmp_path / "tmp").glob("winnow-*"))


@pytest.mark.engine
@pytest.mark.usefixtures("shared")
def test_another_disk_may_be_between_the_passes(shop: Path, tmp_path: Path) -> None:
    compare(shop, tmp_path, str(tmp_path / "disk"))
    assert not any(path.is_file() for path in (tmp_path / "disk").rglob("*"))


@pytest.mark.engine
def test_workers_of_dask_share_an_object_store(
    shop: Path, tmp_path: Path, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    compare(shop, tmp_path, shared, ["--runner=dask"])
    assert names_of(shared) == []


@pytest.mark.engine
def test_workers_of_dask_read_inputs_in_an_object_store(
    shop: Path, tmp_path: Path, bucket: str, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    archive = members([record(Response("https://a.example/x.jpg", b"x", "image/jpeg"))])
    (shop.parent / "a.warc.gz").write_bytes(archive)
    with shop.open("a") as file:
        file.write('[[archive]]\npath = "a.warc.gz"\n')
    put_folder(shop.parent, f"{bucket}/shop")
    label(read_config(shop), tmp_path / "plain")
    read_here: list[str] = []
    monkeypatch.setattr(image_files.Locator, "_read", lambda _, path: read_here.append(path))
    config = read_config(shop, {"base": f"{bucket}/shop", "label.work_dir": shared})
    label(config, tmp_path / "shared", ["--runner=dask"])
    assert files_of(tmp_path / "shared") == files_of(tmp_path / "plain")
    assert read_here == []
    assert names_of(shared) == []


def test_an_interrupted_run_in_an_object_store_resumes(
    shop: Path, tmp_path: Path, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = storage.send

    def failing(file: Path, path: str, partial_dir: str) -> None:
        if len(sent) == 7:
            raise KeyboardInterrupt
        sent.append(path)
        send(file, path, partial_dir)

    config = settings(shop, shared)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, "send", failing)
        label(config, tmp_path / "shared")
    assert names_of(shared)
    with monkeypatch.context() as patch:
        again: list[str] = []
        patch.setattr(storage, "send", lambda f, path, to: (again.append(path), send(f, path, to)))
        compare(shop, tmp_path, shared)
    assert not {path for path in sent if "/given/" in path} & set(again)
    assert names_of(shared) == []


def read_text(split: Split) -> Iterator[tuple[str, pa.Table]]:
    yield "text", pa.table({"text": [Path(path).read_text() for path in split.arguments]})


def test_workers_that_see_no_disk_of_ours_get_what_they_open(tmp_path: Path, shared: str) -> None:
    workspace = Workspace(tmp_path / "out", tmp_path / "scratch", shared)
    labels = tmp_path / "labels.jsonl"
    labels.write_text("labels")
    files = workspace.taxonomy(TaxonomyFiles(labels))

    def conclude(folder: Path) -> None:
        (folder / "made-0.parquet").write_text("made of the whole")

    workspace.conclude("first", {}, conclude)
    made = workspace.files("first")
    read = workspace.read(read_text)
    reduce = workspace.reduce(lambda tables: {"t": pa.table({"text": [files.path.read_text()]})})
    labels.unlink()
    (tmp_path / "scratch").rename(tmp_path / "elsewhere")
    assert reduce({})["t"]["text"].to_pylist() == ["labels"]
    ((_, rows),) = read(Split("0", "made", tuple(made["made"])))
    assert rows["text"].to_pylist() == ["made of the whole"]
    assert (tmp_path / "scratch/first/made-0.parquet").read_text() == "made of the whole"


def test_a_file_that_changed_on_the_way_is_noticed(
    shop: Path, tmp_path: Path, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = storage.fetch

    def bent(path: str, to: Path) -> str:
        return fetch(path, to)[::-1]

    monkeypatch.setattr(storage, "fetch", bent)
    with pytest.raises(IntegrityError, match="differs from what was written"):
        label(settings(shop, shared), tmp_path / "run")


def test_a_store_that_is_not_known_is_refused(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in no store that is known"):
        label(settings(shop, "nowhere://bucket/work"), tmp_path / "run")
