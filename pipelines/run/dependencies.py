"""Settings and files that each stage depends on, beside the stages that it is made from.

Commands make fingerprints of them; `winnow plan` and `winnow status` compare them. Of a file only
the content counts, not the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.runs.durable import file_digest
from labeling.objects.paths import ObjectPath, join, path_of
from labeling.readers.image_files import named
from labeling.readers.listing import is_there
from labeling.secrets import masked_values
from labeling.taxonomy.published import TaxonomyFiles, format_of
from pipelines.run.config import Config

IRRELEVANT = {
    "base": "a folder, without its content; names of files in a run start from it",
    "label.work_dir": "a folder for tables between the passes; the output has equal bytes",
    "label.max_reject_share": "decides only whether a run fails",
    "label.max_cut_share": "decides only whether a run fails",
    "audit.repeats": "adds rows to a sheet; its answers count, however they were asked for",
    "train.checkpoint_minutes": "a training that continues from a state gives equal weights",
    "train.tensorboard": "events are written beside the model, from the same training",
}
"""Keys on which no stage depends, with the reason."""


@dataclass(frozen=True)
class Needs:
    """Keys of the configuration: settings (a section means all of its keys), and paths of files."""

    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


TAXONOMY = Needs(("taxonomy.format", "taxonomy.language"), ("taxonomy.path", "taxonomy.hierarchy"))

NEEDS = {
    "signals": Needs(),
    "candidates": Needs(("label", *TAXONOMY.settings), TAXONOMY.files),
    "images": Needs(),
    "evidence": Needs(),
    "look": Needs(("look", "train")),
    "audits": Needs(("audit.n", "audit.seed", "select.keep", "select.precision"), ("audit.truth",)),
    "audits-bands": Needs(),
    "audits-cells": Needs(("select.keep", "select.precision", "select.floor", "select.per_image")),
    "scored": Needs(("select.venn_abers",)),
    "selected": Needs(("select", "audit.error_rate"), ("audit.known",)),
    "ablation": Needs(
        ("select.keep", "select.precision", "select.confidence", "audit.error_rate"),
        ("audit.known",),
    ),
    "shards": Needs(("export",)),
    "model": Needs(("train",)),
    "evaluation": Needs((), ("evaluate.truth",)),
}
"""By stage. Signals depend on the inputs too; `pipelines.inputs.splits` digests their files.

Answers of a sheet depend on no setting. Cells are cut with a draw: audits follow them.
"""


def needs_of(stage: str, config: Config) -> Needs:
    """Return what a stage depends on; signals on the labels only where an input names labels."""
    if stage != "signals":
        return NEEDS[stage if stage in NEEDS else stage.partition("-")[0]]
    inputs = config.input_kinds()
    if any(entry.reads_labels for entry in config.all_inputs()):
        return Needs((*inputs, "label.limit", *TAXONOMY.settings), TAXONOMY.files)
    return Needs((*inputs, "label.limit"))


def settings_of(stage: str, config: Config) -> dict[str, Any]:
    """Return the settings that a stage depends on; one of a section by its name within it.

    Keys and passwords are masked: the output does not depend on them, and manifests are kept.

    Raises
    ------
    InputError
        If the format of the taxonomy is not known.
    """
    content = masked_values(config.model_dump(mode="json"))
    settings: dict[str, Any] = {}
    for name in needs_of(stage, config).settings:
        section, _, key = name.partition(".")
        if name == "taxonomy.format":  # `auto` depends on the name of the file
            settings[name] = format_of(taxonomy_files(config))
        elif isinstance(content[section], Mapping):
            named = {key: content[section][key]} if key else content[section]
            settings |= {k: v for k, v in named.items() if f"{section}.{k}" not in IRRELEVANT}
        else:
            settings[section] = content[section]
    return settings


def digests_of(stage: str, config: Config) -> dict[str, str]:
    """Return the digest of each file that a stage depends on, by its key; "" if it is missing."""
    digests = {}
    for section, key in _file_keys(stage, config):
        path = getattr(getattr(config, section), key)
        if path is not None:
            file = join(path_of(config.base), path)
            name = f"{section}.{key}".removesuffix(".path")
            digests[name] = file_digest(file) if file.is_file() else ""
    return digests


def content_of(path: Path) -> str:
    """Return the digest of a file; of an object its size and its version, which need no reading."""
    if isinstance(path, ObjectPath):
        return f"{path.facts.n_bytes} {path.facts.version}"
    return file_digest(path)


def _file_keys(stage: str, config: Config) -> list[tuple[str, str]]:
    """Return section and key of each file that a stage depends on."""
    keys = (name.partition(".") for name in needs_of(stage, config).files)
    return [(section, key) for section, _, key in keys]


def read_files(config: Config) -> dict[str, Path]:
    """Return the files that the signals are read from, by their names.

    Raises
    ------
    InputError
        If an input is missing.
    """
    base = path_of(config.base)
    inputs = config.all_inputs()
    paths = (path for entry in inputs for path in entry.paths(base, entry.files(base)))
    return {named(base, path): path for path in paths}


def sizes_beside(config: Config) -> dict[str, str]:
    """Return names and sizes of the files that are not digested, for all inputs."""
    base = path_of(config.base)
    sizes: dict[str, str] = {}
    for entry in config.all_inputs():
        sizes |= entry.sizes_beside(base)
    return sizes


def missing_files(stage: str, config: Config) -> list[str]:
    """Return the paths that a stage depends on and that are missing, as the settings name them."""
    needed = [getattr(getattr(config, section), key) for section, key in _file_keys(stage, config)]
    if stage == "signals":
        needed += [path for entry in config.all_inputs() for path in entry.path_names]
    base = path_of(config.base)
    return [path for path in needed if path is not None and not is_there(base, path)]


def taxonomy_files(config: Config) -> TaxonomyFiles:
    """Return the files of the taxonomy of a configuration."""
    named = config.taxonomy
    base = path_of(config.base)
    hierarchy = None if named.hierarchy is None else join(base, named.hierarchy)
    language = "" if named.language == "en" else named.language  # names without one are English
    return TaxonomyFiles(join(base, named.path), named.format, hierarchy, language=language)
