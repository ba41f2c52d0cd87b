from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeling.errors import ConfigError, IntegrityError
from pipelines.inputs.tables import SignalsInput
from pipelines.run.config import Config, check_config
from pipelines.run.dependencies import settings_of
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
    content = config.model_dump(mode="json")
    content["select"]["floor"] = None
    (tmp_path / FILE).write_text(json.dumps(content))
    assert load_config(tmp_path) == config


def test_keys_are_not_kept(config: Config, tmp_path: Path) -> None:
    label = config.label.model_copy(update={"work_dir": "s3://KEY:SECRET@bucket/x"})
    with_key = config.model_copy(update={"label": label})
    save_config(with_key, tmp_path)
    assert "SECRET" not in (tmp_path / FILE).read_text()
    assert load_config(tmp_path).label.work_dir == "s3://***@bucket/x"


def test_a_stage_does_not_depend_on_keys(config: Config) -> None:
    entries = [
        SignalsInput(path=f"s3://KEY:{secret}@bucket/x.csv", columns={"image": "a", "text": "b"})
        for secret in ("OLD", "NEW")
    ]
    old, new = (
        settings_of("signals", config.model_copy(update={"signals": (e,)})) for e in entries
    )
    assert old == new
    assert "OLD" not in str(old)
