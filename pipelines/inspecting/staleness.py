"""Why the next `winnow label` will make a stage again, seen without reading the inputs."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.runs.code import code_version
from curation.runs.sealed import unseal
from labeling.readers.image_files import named
from pipelines.jobs.splits import input_paths, sizes_beside
from pipelines.run.config import Config
from pipelines.run.dependencies import digests_of, settings_of
from pipelines.shuffle.engine import Split


def why_signals_again(config: Config, splits: Sequence[Split], run_dir: Path) -> list[str] | None:
    """Return why the signals will be made again; nothing if only the content of inputs can change.

    None where there are no signals yet. Of several outputs, the one with the fewest reasons counts.
    """
    base = Path(config.base)
    paths = {named(base, path): path for path in input_paths(config, splits)}
    known = sizes_beside(config) | digests_of("signals", config)
    return _fewest_reasons(run_dir / "signals", settings_of("signals", config), paths, known)


def why_candidates_again(config: Config, signals: str, run_dir: Path) -> list[str] | None:
    """Return why the candidates will be made again from these signals (`Stage.content`)."""
    known = {"signals": signals, **digests_of("candidates", config)}
    return _fewest_reasons(run_dir / "candidates", settings_of("candidates", config), {}, known)


def _fewest_reasons(
    stage_dir: Path,
    settings: Mapping[str, Any],
    paths: Mapping[str, Path],
    known: Mapping[str, str],
) -> list[str] | None:
    """Return the reasons against the output with the fewest, from files and known digests."""
    reasons = [
        [
            *_settings_reasons(manifest, settings),
            *_input_reasons(manifest["inputs"], paths, known),
            *_newer(manifest, list(paths.values())),
        ]
        for manifest in _manifests(stage_dir)
    ]
    return min(reasons, key=len, default=None)


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


def _input_reasons(
    made_from: Mapping[str, str], paths: Mapping[str, Path], known: Mapping[str, str]
) -> Iterator[str]:
    names = {*paths, *known}
    for word, files in (("new", names - set(made_from)), ("gone", set(made_from) - names)):
        if files:
            more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
            yield f"inputs are {word}: {min(files)}{more}"
    changed = [name for name, digest in known.items() if made_from.get(name, digest) != digest]
    if changed:
        yield f"inputs have changed: {', '.join(changed)}"


def _newer(manifest: Mapping[str, Any], paths: Sequence[Path]) -> Iterator[str]:
    started = time.strptime(manifest["run"]["started"], "%Y-%m-%dT%H:%M:%SZ")
    since = calendar.timegm(started) + 1  # the manifest cuts it to whole seconds
    n_newer = sum(path.stat().st_mtime > since for path in paths)
    if n_newer:
        yield "an input is newer" if n_newer == 1 else f"{n_newer:,} inputs are newer"
