from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from curation.runs.stage import Stage, open_stage, verify
from labeling.errors import StoreError
from labeling.objects import client
from labeling.objects.object_file import ObjectFile
from pipelines.cli import main
from pipelines.delivery.copies import copy_to_store
from pipelines.delivery.export import export
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config


@pytest.fixture
def shards(shop: Path, selected: Path) -> Stage:
    return export(read_config(shop), selected, "selected")


def fetched(address: str, folder: Path) -> Path:
    for url, _ in client.list_objects(address):
        path = folder / url.removeprefix(address).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ObjectFile(url).readall())
    return folder


def test_a_copy_is_the_stage_and_its_pointer_comes_last(
    shards: Stage, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = client.write_object

    def note(url: str, content: io.BufferedReader) -> None:
        written.append(url)
        write(url, content)

    monkeypatch.setattr(client, "write_object", note)
    folder = copy_to_store(shards, f"{bucket}/mine/")
    assert folder == f"{bucket}/mine/shards/{shards.dir.name}"
    assert written[-2:] == [f"{folder}/manifest.json", f"{bucket}/mine/shards/CURRENT"]
    copied = open_stage(fetched(f"{bucket}/mine", tmp_path / "copy"), "shards")
    verify(copied)
    assert copied.content == shards.content


def test_an_interrupted_copy_has_no_pointer_and_is_completed(
    shards: Stage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = client.write_object, []

    def fail_third(url: str, content: io.BufferedReader) -> None:
        written.append(url)
        if len(written) == 3:
            raise StoreError("the object store fails")
        write(url, content)

    monkeypatch.setattr(client, "write_object", fail_third)
    with pytest.raises(StoreError):
        copy_to_store(shards, bucket)
    assert client.names_in(f"{bucket}/shards", with_folders=False) == []
    copy_to_store(shards, bucket)
    assert written.count(written[0]) == 1
    assert client.names_in(f"{bucket}/shards", with_folders=False) == ["CURRENT"]


def test_the_command_copies_the_shards(shop: Path, selected: Path, bucket: str) -> None:
    save_config(read_config(shop), selected)
    invoked = CliRunner().invoke(main, ["export", str(selected), "--out", f"{bucket}/mine"])
    assert invoked.exit_code == 0, invoked.output
    assert client.names_in(f"{bucket}/mine/shards", with_folders=False) == ["CURRENT"]
    invoked = CliRunner().invoke(main, ["export", str(selected), "--out", str(shop.parent)])
    assert invoked.exit_code == 3
    assert "an address of s3://" in invoked.output
