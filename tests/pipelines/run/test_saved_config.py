from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeling.errors import ConfigError, IntegrityError
from pipelines.run.config import Config, check_config
from pipelines.run.saved_config import FILE, load_config, save_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "data").mkdir()
    content = {"base": str(tmp_path / "data"), "taxonomy": {"path": "labels.jsonl"}}
    return check_config(content, "test")


def test_every_flipped_bit_of_the_settings_is_refused(config: Config, tmp_path: Path) -> None:
    save_config(config, tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises((IntegrityError, ConfigError)) as error:
            load_config(tmp_path)
        assert FILE in str(error.value)
    (tmp_path / FILE).write_bytes(whole)
    assert load_config(tmp_path) == config


def test_settings_that_were_edited_name_the_way_to_change_them(
    config: Config, tmp_path: Path
) -> None:
    save_config(config, tmp_path)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace('"n": 500', '"n": 50'))
    with pytest.raises(IntegrityError, match="cannot be read") as error:
        load_config(tmp_path)
    assert "-o KEY=VALUE" in error.value.help


def test_settings_of_an_earlier_version_are_read(config: Config, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(config.model_dump(mode="json")))
    assert load_config(tmp_path) == config
