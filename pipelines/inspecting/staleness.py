"""Why the next command will make a stage again, seen without reading many inputs."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from curation.runs.code import code_version
from curation.runs.sealed import unseal
from curation.runs.stage import Stage
from labeling.errors import InputError
from labeling.objects.paths import ObjectPath, path_of
from pipelines.auditing.import_images import changed_files
from pipelines.evidence.proposals import selected_proposals
from pipelines.jobs.images import changed_images
from pipelines.run.config import Config
from pipelines.run.dependencies import (
    NEEDS,
    content_of,
    digests_of,
    missing_files,
    read_files,
    settings_of,
    sizes_beside,
)

MAX_DIGESTED = 64 << 20
"""Bytes of newer inputs that are read to see whether they have changed; of more it is unknown."""

MAX_NAMED = 5
"""Changed inputs that are named."""


def why_signals_again(config: Config, run_dir: Path) -> list[str] | None:
    """Return why the signals will be made again; nothing if none of their inputs seems changed.

    None where there are no signals yet. Of several outputs, the one with the fewest reasons counts.
    """
    return _fewest_reasons(run_dir / "signals", _now("signals", config))


def why_candidates_again(config: Config, signals: str, run_dir: Path) -> list[str] | None:
    """Return why the candidates will be made again from these signals (`Stage.content`)."""
    return _fewest_reasons(run_dir / "candidates", _now("candidates", config, signals))


def why_stale(config: Config, stage: Stage) -> list[str]:
    """Return why its command will make the current output of a stage again, except other stages.

    For signals and candidates these are all reasons that can be seen without reading much; for
    others changes of the files that the settings name. Missing files are named, and never an error.

    Raises
    ------
    StoreError
        If the object store of an input fails.
    """
    name, made_from = stage.name, stage.manifest["inputs"]
    if name.partition("-")[0] not in NEEDS or is_imported(stage):
        return []
    try:
        if name == "images":
            return [*_named("images", changed_files(path_of(config.base), stage))]
        missing = missing_files(name, config)
        if missing and (name == "signals" or digests_of(name, config).keys() & made_from.keys()):
            return [f"missing: {', '.join(missing)}"]
        if name in ("signals", "candidates"):
            now = _now(name, config, made_from.get("signals", ""))
            images = changed_images(config, stage) if name == "signals" else []
            return [*_reasons(stage.manifest, now), *_named("images", images)]
        if name == "shards":
            return [*_other_proposals(stage)]
        digests = digests_of(name, config)
        return list(_changed(made_from, {n: d for n, d in digests.items() if n in made_from}))
    except (InputError, OSError, pa.ArrowException) as error:
        return [" ".join(str(error).split())]


def _other_proposals(shards: Stage) -> Iterator[str]:
    selected = selected_proposals(shards.dir.parent.parent)
    now = None if selected is None else selected.content
    if now != shards.manifest["config"].get("proposals"):
        yield "other proposals are selected"


def is_imported(stage: Stage) -> bool:
    """Return whether a stage holds candidates that were imported, and not made from signals."""
    return stage.name == "candidates" and "signals" not in stage.manifest["inputs"]


class _Now(NamedTuple):
    """Settings, files and known digests that a stage would be made from now."""

    settings: Mapping[str, Any]
    paths: Mapping[str, Path]
    known: Mapping[str, str]


def _now(name: str, config: Config, signals: str = "") -> _Now:
    known, settings = digests_of(name, config), settings_of(name, config)
    if name == "signals":
        return _Now(settings, read_files(config), sizes_beside(config) | known)
    return _Now(settings, {}, {"signals": signals, **known})


def _fewest_reasons(stage_dir: Path, now: _Now) -> list[str] | None:
    """Return the reasons against the output with the fewest."""
    reasons = [list(_reasons(manifest, now)) for manifest in _manifests(stage_dir)]
    return min(reasons, key=len, default=None)


def _reasons(manifest: Mapping[str, Any], now: _Now) -> Iterator[str]:
    """Yield the reasons against an output."""
    yield from _settings_reasons(manifest, now.settings)
    yield from _other_names(manifest["inputs"], {*now.paths, *now.known})
    newer = _newer(manifest, now.paths)
    files = (now.paths[name] for name in newer)
    n_bytes = sum(file.stat().st_size for file in files if not isinstance(file, ObjectPath))
    if n_bytes > MAX_DIGESTED:
        yield "an input is newer" if len(newer) == 1 else f"{len(newer):,} inputs are newer"
        newer = []
    read = {name: content_of(now.paths[name]) for name in newer}
    yield from _changed(manifest["inputs"], {**now.known, **read})


def _manifests(stage_dir: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the manifests that can be read of a stage's outputs, current or not."""
    for path in sorted(stage_dir.glob("*/manifest.json")):
        try:
            yield unseal(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue


def _settings_reasons(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    if manifest["winnow"] != code_version(str(manifest["stage"])):
        yield "winnow itself has changed"
    plain = json.loads(json.dumps(settings))
    changed = [key for key in plain if manifest["config"].get(key) != plain[key]]
    if changed:
        yield f"settings have changed: {', '.join(sorted(changed))}"


def _other_names(made_from: Mapping[str, str], names: Set[str]) -> Iterator[str]:
    for word, files in (("new", names - set(made_from)), ("gone", set(made_from) - names)):
        if files:
            more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
            yield f"inputs are {word}: {min(files)}{more}"


def _changed(made_from: Mapping[str, str], digests: Mapping[str, str]) -> Iterator[str]:
    changed = [name for name, digest in digests.items() if made_from.get(name, digest) != digest]
    yield from _named("inputs", changed)


def _named(kind: str, changed: Sequence[str]) -> Iterator[str]:
    if changed:
        more = f" and {len(changed) - MAX_NAMED:,} more" if len(changed) > MAX_NAMED else ""
        yield f"{kind} have changed: {', '.join(changed[:MAX_NAMED])}{more}"


def _newer(manifest: Mapping[str, Any], paths: Mapping[str, Path]) -> list[str]:
    """Return the names of the files that were written after the output was begun."""
    started = time.strptime(manifest["run"]["started"], "%Y-%m-%dT%H:%M:%SZ")
    since = calendar.timegm(started) + 1  # the manifest cuts it to whole seconds
    return [name for name, path in paths.items() if path.stat().st_mtime > since]
