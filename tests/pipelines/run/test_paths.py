"""Paths are absolute before a worker gets them: its working folder may be another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import pipelines
from labeling.errors import ConfigError
from pipelines.cli import main
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.run.paths import absolute, shown
from pipelines.shuffle import engine
from pipelines.shuffle.engine import Shuffle, Split, begin


def path_parameters(command: click.Command) -> Iterator[tuple[str, click.Path]]:
    if isinstance(command, click.Group):
        for part in command.commands.values():
            yield from path_parameters(part)
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            yield f"{command.name} {parameter.name}", parameter.type


def test_every_path_of_the_command_line_is_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    monkeypatch.chdir(tmp_path)
    parameters = dict(path_parameters(main))
    assert len(parameters) > 10
    for name, kind in parameters.items():
        typed = "file" if kind.file_okay else "link"
        assert kind.convert(typed, None, None) == tmp_path / typed, name


def test_workers_get_absolute_paths_where_the_run_folder_is_relative(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_config(shop).model_copy(update={"base": "shop"})
    given: list[str] = []

    def watched(shuffle: Shuffle, splits: list[Split]) -> bool:
        given.extend([shuffle.work_dir, shuffle.out_dir, repr(shuffle.read), repr(shuffle.reduce)])
        given.extend(str(part) for split in splits for part in split.arguments)
        return begin(shuffle, splits)

    monkeypatch.setattr(engine, "begin", watched)
    label(config, Path("run"))
    assert [text for text in given if text.startswith("run") or "Path('run" in text] == []
    assert [text for text in given if "base='shop'" in text or "Path('shop" in text] == []
    assert str(tmp_path / "run") in " ".join(given)


def test_a_path_in_the_working_folder_is_shown_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(absolute(Path("run"))) == "run"
    assert shown(tmp_path.parent / "run") == str(tmp_path.parent / "run")


@pytest.mark.parametrize("given", ["s3://bucket/run", "gs://bucket/run", "hdfs://host/run"])
def test_a_run_in_an_object_store_is_refused(given: str, shop: Path) -> None:
    with pytest.raises(ConfigError, match="not objects of a store") as caught:
        pipelines.label(shop, out=given)
    assert caught.value.facts["path"] == given
    with pytest.raises(SystemExit) as ended:
        main(["label", str(shop), "--out", given])
    assert ended.value.code == 2
