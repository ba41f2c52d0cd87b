"""A stage is made again when a setting or a file changes that it can depend on."""

from __future__ import annotations

import shutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from curation.runs.code import MAKERS
from curation.runs.stage import open_stage
from labeling.schemas import CANDIDATES, SIGNALS
from pipelines.auditing.sample import answer_by_truth
from pipelines.cli import main
from pipelines.delivery.evaluate import evaluate
from pipelines.delivery.export import export
from pipelines.delivery.train import train
from pipelines.inputs.splits import input_digests, splits_of
from pipelines.jobs.label import label
from pipelines.run.config import Config, TrainSettings, check_config, read_config, with_overrides
from pipelines.run.dependencies import IRRELEVANT, NEEDS, digests_of, settings_of
from pipelines.run.sections import Section
from pipelines.selecting.select import select
from training.fit.config import TrainConfig

STAGES = {
    **dict.fromkeys(
        ("site", "archive", "signals", "webdataset", "links", "graph", "feedback"), {"signals"}
    ),
    "taxonomy": {"signals", "candidates"},
    "label.support_only": {"candidates"},
    "label.limit": {"signals", "candidates"},
    "audit": {"audits"},
    "audit.error_rate": {"ablation", "selected"},
    "audit.known": {"ablation", "selected"},
    "select": {"selected"},
    "select.keep": {"ablation", "audits", "audits-cells", "selected"},
    "select.precision": {"ablation", "audits", "audits-cells", "selected"},
    "select.confidence": {"ablation", "selected"},
    "select.floor": {"audits-cells", "selected"},
    "select.per_image": {"audits-cells", "selected"},
    "select.venn_abers": {"scored", "selected"},
    "export": {"shards"},
    "train": {"look", "model"},
    "look": {"look"},
    "evaluate": {"evaluation"},
}
"""The stages that can depend on a section, or on a key; the inputs hold feedback, with labels."""

INPUTS: dict[str, dict[str, str]] = {
    "site": {"path": "site"},
    "archive": {"path": "pages.warc"},
    "signals": {"path": "texts.csv"},
    "webdataset": {"path": "images.tar"},
    "links": {"path": "links.csv"},
    "graph": {"vertices": "vertices.txt", "edges": "edges.txt"},
    "feedback": {"path": "feedback.csv"},
}
FILES = {
    "taxonomy.path": "labels.csv",
    "taxonomy.hierarchy": "hierarchy.json",
    "audit.truth": "truth.csv",
    "audit.known": "known.csv",
    "evaluate.truth": "truth-heldout.csv",
    **{f"{name}.{key}": path for name, keys in INPUTS.items() for key, path in keys.items()},
}
OTHER = {
    "taxonomy.format": "edges",
    "taxonomy.language": "de",
    "signals.source": "caption",
    **{f"{name}.delimiter": ";" for name in ("signals", "links", "feedback")},
    **{f"{name}.encoding": "latin-1" for name in ("signals", "links", "feedback")},
    **{f"{name}.image_path": "{image}.jpg" for name in ("signals", "feedback")},
    "label.support_only": ["page"],
    "select.precision": 0.5,
    "select.by": "label",
    "look.weights": "efficientnet-lite0",
    "look.propose": 0.5,
    "train.depth": 50,
    "train.stem": "small",
    "train.loss": "softmax",
    "train.sampling": "square-root",
    "train.precision": "float32",
    **{f"{section}.delimiter": ";" for section in ("signals", "links", "feedback")},
    **{f"{section}.encoding": "latin-1" for section in ("signals", "links", "feedback")},
}
"""Another value of each key for which `changed` cannot make one from its value."""


def keys_of(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *typing.get_args(field.annotation))
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, Section)]
        if inner:
            yield from keys_of(inner[0], f"{above}{name}.")
        else:
            yield above + name


KEYS = list(keys_of(Config))


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """Return the content of a configuration that names every kind of file; the files are there."""
    for prefix in ("", "other-"):
        for path in FILES.values():
            file = tmp_path / (prefix + path)
            if path == "site":
                file = file / "a.org" / "index.html"
                file.parent.mkdir(parents=True)
            file.write_text(f"{prefix}{path}")
    named: dict[str, Any] = {name: [dict(keys)] for name, keys in INPUTS.items()}
    sections: dict[str, dict[str, str]] = {}
    for key, path in FILES.items():
        section, name = key.split(".")
        if section not in INPUTS:
            sections.setdefault(section, {})[name] = path
    return {"base": str(tmp_path), **sections, **named}


def checked(content: dict[str, Any]) -> Config:
    return check_config(content, "test")


def made_from(content: dict[str, Any]) -> dict[str, object]:
    """Return what each stage is known by, beside the stages that it is made from."""
    config = checked(content)
    known: dict[str, object] = {s: (settings_of(s, config), digests_of(s, config)) for s in NEEDS}
    return known | {"signals": (known["signals"], input_digests(config, splits_of(config)))}


def with_another(content: dict[str, Any], key: str) -> dict[str, Any]:
    section, _, name = key.partition(".")
    if not name:
        return {**content, key: f"{content[key]}/site/.."}
    value: Any = getattr(checked(content), section)
    is_list = isinstance(value, tuple)
    old = getattr(value[0] if is_list else value, name)
    given = content.get(section, [{}] if is_list else {})
    new = {**(given[0] if is_list else given), name: OTHER.get(key) or another(key, old)}
    return {**content, section: [new] if is_list else new}


def another(key: str, value: object) -> object:
    if key in FILES:
        return f"other-{FILES[key]}"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 or 0.5
    if isinstance(value, dict):
        return {**value, next(iter(value)): "changed"}
    return {"label.work_dir": "work", "audit.error_rate": 0.1}.get(key, 20)


def expected(key: str) -> set[str]:
    return set() if key in IRRELEVANT else STAGES.get(key) or STAGES[key.partition(".")[0]]


@pytest.mark.parametrize("key", KEYS)
def test_another_value_of_any_key_changes_the_stages_that_can_depend_on_it(
    content: dict[str, Any], key: str
) -> None:
    if key == "taxonomy.format":  # with a hierarchy it can be one only
        del content["taxonomy"]["hierarchy"]
        content["taxonomy"] |= {"format": "tencent"}
    before, after = made_from(content), made_from(with_another(content, key))
    assert {stage for stage in before if before[stage] != after[stage]} == expected(key)


@pytest.mark.parametrize("key", FILES)
def test_other_content_of_any_file_changes_the_stages_that_can_depend_on_it(
    content: dict[str, Any], key: str
) -> None:
    before = made_from(content)
    path = Path(content["base"]) / FILES[key]
    path = path / "a.org" / "index.html" if path.is_dir() else path
    path.write_text("other content")
    after = made_from(content)
    assert {stage for stage in before if before[stage] != after[stage]} == expected(key)


def test_every_key_is_known_and_every_reason_given() -> None:
    assert set(FILES) <= set(KEYS)
    assert set(IRRELEVANT) <= set(KEYS)
    assert all(len(reason.split()) > 4 for reason in IRRELEVANT.values())
    named = {name for needs in NEEDS.values() for name in (*needs.settings, *needs.files)}
    sections = {key.partition(".")[0] for key in KEYS}
    assert named <= sections | set(KEYS)
    assert {*NEEDS, "cell"} == set(MAKERS)


def test_a_taxonomy_that_only_moved_changes_nothing(content: dict[str, Any]) -> None:
    before, base = made_from(content), Path(content["base"])
    (base / "elsewhere").mkdir()
    shutil.copy(base / "labels.csv", base / "elsewhere" / "names.txt")
    content["taxonomy"]["path"] = "elsewhere/names.txt"
    assert made_from(content) == before


def test_signals_depend_on_the_labels_only_where_feedback_names_them(
    content: dict[str, Any],
) -> None:
    del content["feedback"]
    before, after = made_from(content), made_from(with_another(content, "taxonomy.path"))
    assert {stage for stage in before if before[stage] != after[stage]} == {"candidates"}


def test_a_study_trains_with_every_setting_that_a_model_depends_on() -> None:
    """Cells record all of `TrainConfig`."""
    relevant = {key for key in TrainSettings.model_fields if f"train.{key}" not in IRRELEVANT}
    assert relevant == set(TrainConfig.model_fields)


class Reads:
    """The keys of configurations that were read since the last `taken`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: set[str] = set()
        read = Section.__getattribute__
        sections = {type(getattr(checked(MINIMAL), name)): name for name in Config.model_fields}

        def noted(section: Section, name: str) -> Any:
            if name in type(section).model_fields:
                above = "" if isinstance(section, Config) else sections.get(type(section), "")
                self.keys.add(f"{above}.{name}".strip("."))
            return read(section, name)

        monkeypatch.setattr(Section, "__getattribute__", noted)

    def taken(self) -> set[str]:
        keys, self.keys = self.keys & set(KEYS), set()
        return keys


MINIMAL = {"taxonomy": {"path": "labels.csv"}}


def test_the_settings_that_a_command_reads_are_those_its_stages_depend_on(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_overrides(read_config(shop), ["train.steps=2"])
    run_dir, reads = tmp_path / "run", Reads(monkeypatch)
    commands = {
        ("signals", "candidates"): lambda: label(config, run_dir),
        ("audits",): lambda: answer_by_truth(config, run_dir),
        ("scored", "selected", "audits"): lambda: select(config, run_dir),
        ("shards",): lambda: export(config, run_dir, "selected"),
        ("model",): lambda: train(config, run_dir, "selected"),
        ("evaluation",): lambda: evaluate(config, run_dir, "selected"),
    }
    for stages, command in commands.items():
        command()
        read = reads.taken()
        assert read
        undeclared = {key for key in read - set(IRRELEVANT) if not expected(key) & set(stages)}
        assert undeclared == set(), stages


LABELS = "child,parent,name\nx1,,{}\nx2,,{}\n"


def winnow(*arguments: object) -> str:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.stdout + done.stderr


def shown(run_dir: Path) -> set[tuple[str, str]]:
    """Return text and label of each candidate."""
    signals = open_stage(run_dir, "signals").table(SIGNALS).to_pylist()
    text = {row["image_id"]: row["text"] for row in signals}
    rows = open_stage(run_dir, "candidates").table(CANDIDATES).to_pylist()
    assert len(rows) == 40
    return {(text[row["image_id"]], row["label_id"]) for row in rows}


def test_a_changed_taxonomy_makes_candidates_again(tmp_path: Path) -> None:
    lines = ["image,text"]
    for number in range(40):
        (tmp_path / f"{number}.jpg").write_bytes(bytes([number]) * 100)
        lines.append(f"{number}.jpg,a {'cat' if number % 2 else 'dog'}")
    (tmp_path / "texts.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "labels.csv").write_text(LABELS.format("cat", "dog"))
    config, run_dir = tmp_path / "run.toml", tmp_path / "run"
    config.write_text('[taxonomy]\npath = "labels.csv"\n[[signals]]\npath = "texts.csv"\n')
    winnow("label", config, "--out", run_dir)
    assert shown(run_dir) == {("a cat", "x1"), ("a dog", "x2")}
    assert "candidates  40" in winnow("label", config, "--out", run_dir)
    assert "stale" not in winnow("status", run_dir)

    (tmp_path / "labels.csv").write_text(LABELS.format("dog", "cat"))
    planned = winnow("plan", config, "--out", run_dir)
    assert "signals: there" in planned
    assert "candidates: will be made again: inputs have changed: taxonomy" in planned
    printed = winnow("status", run_dir)
    assert "stale: candidates: inputs have changed: taxonomy" in printed
    assert f"next: winnow label CONFIG --out {run_dir}" in printed
    winnow("label", config, "--out", run_dir)
    assert shown(run_dir) == {("a cat", "x2"), ("a dog", "x1")}
    assert "stale" not in winnow("status", run_dir)
