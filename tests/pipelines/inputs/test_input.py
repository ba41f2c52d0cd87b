"""A new kind of input is one class and one line of `Config`; a labeling source is a name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import Field

import pipelines.inputs
from curation.runs.stage import open_stage
from labeling.frames.signals import signals_from_texts
from labeling.schemas import CANDIDATES, SIGNALS
from pipelines.inputs.input import Input, ReadContext
from pipelines.inputs.splits import splits_of
from pipelines.inputs.tables import TableInput
from pipelines.inspecting.forecast import sources
from pipelines.jobs.label import label
from pipelines.run.config import Config


class ColourInput(Input):
    """Colours of images: lines of URL and colour."""

    suffixes = (".colours",)

    path: str = Field(description="file of lines, or a folder of them")

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the colours as signals of the source ``colour``."""
        for file in files:
            lines = (context.base / file).read_text().splitlines()
            images, colours = zip(*[line.split() for line in lines], strict=True)
            texts = pa.table({"image": images, "text": colours})
            yield "signals", signals_from_texts(texts, source="colour")


class WithColours(Config):
    """The settings of a run with one more kind of input."""

    colour: tuple[ColourInput, ...] = Field((), description="colours of images")


def config_in(folder: Path) -> WithColours:
    (folder / "a.colours").write_text("https://a.org/1.jpg red\nhttps://a.org/2.jpg green\n")
    (folder / "t.jsonl").write_text('{"id": "red", "names": ["red"]}\n')
    return WithColours.model_validate(
        {"base": str(folder), "taxonomy": {"path": "t.jsonl"}, "colour": ({"path": "a.colours"},)}
    )


def test_a_new_kind_of_input_and_a_new_source_give_candidates(tmp_path: Path) -> None:
    config, run_dir = config_in(tmp_path), tmp_path / "run"
    (candidate,) = label(config, run_dir).table(CANDIDATES).to_pylist()
    signals = open_stage(run_dir, "signals")
    (red, _) = sorted(signals.table(SIGNALS).to_pylist(), key=lambda row: row["text"] != "red")
    assert (candidate["image_id"], candidate["label_id"]) == (red["image_id"], "red")
    assert [item["source"] for item in candidate["evidence"]] == ["colour"]
    assert "a.colours" in signals.manifest["inputs"]
    assert signals.manifest["config"]["colour"] == [{"path": "a.colours"}]
    planned = sources(config, splits_of(config))
    assert [(source.kind, source.path) for source in planned] == [
        ("colour", "a.colours"),
        ("taxonomy", "t.jsonl"),
    ]
    (tmp_path / "a.colours").write_text("https://a.org/1.jpg green\nhttps://a.org/2.jpg red\n")
    (other,) = label(config, run_dir).table(CANDIDATES).to_pylist()
    assert other["image_id"] != candidate["image_id"]


def test_every_kind_of_input_is_a_section_of_the_configuration() -> None:
    for module in pkgutil.iter_modules(pipelines.inputs.__path__):
        importlib.import_module(f"pipelines.inputs.{module.name}")
    bases = {Input, *Input.__subclasses__()}
    kinds = {kind for base in bases for kind in base.__subclasses__()} - {TableInput}
    kinds = {kind for kind in kinds if kind.__module__ != __name__}
    fields = [Config.model_fields[name].annotation for name in Config.input_kinds()]
    assert len(kinds) == 7
    assert {f"tuple[{kind.__module__}.{kind.__name__}, ...]" for kind in kinds} == set(
        map(str, fields)
    )
