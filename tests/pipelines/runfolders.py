"""A run folder made by hand: two candidates of two labels, scored and selected."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import write_parquet
from labeling.schemas import CANDIDATES, REJECTS, SELECTED, SIGNALS, TAXONOMY, TableSchema
from pipelines.jobs.signals import make_signals
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files

IMAGE_IDS = tuple(f"{number:032x}" for number in range(4))
TEXT = 'a red\x1b[2J shirt\u202e, "new"\nnow'


def write_run(run_dir: Path, text: str = TEXT) -> Path:
    """Commit signals, candidates and selected as the commands would; write the settings."""
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.json").write_text("{}")
    write_signals(run_dir, text)
    made_from = {"signals": open_stage(run_dir, "signals").content}
    with write_stage(run_dir, "candidates", inputs=made_from, config={}) as work:
        work.counts |= {"candidates": 4, "images": 4, "labels": 2}
        _write(work.dir, CANDIDATES, [_candidate(number) for number in range(4)])
        _write(work.dir, TAXONOMY, [_label("l1", "red"), _label("l2", "blue shirt")])
    made_from = {"candidates": open_stage(run_dir, "candidates").content}
    with write_stage(run_dir, "selected", inputs=made_from, config={}) as work:
        work.counts |= {"in": 4, "out": 1, "dropped": {"below_threshold": 3}}
        work.facts |= {"precision": 0.9, "precision_low": 0.8, "precision_high": 0.95}
        _write(work.dir, SELECTED, [_selected(number) for number in range(4)])
    return run_dir


def only_signals(config: Config, run_dir: Path) -> Stage:
    """Read the inputs of a run as `winnow label` does, without the passes to candidates."""
    return make_signals(config, taxonomy_files(config), run_dir, ())


def write_signals(run_dir: Path, text: str) -> None:
    with write_stage(run_dir, "signals", inputs={"a.csv": text}, config={}) as work:
        work.counts |= {"signals": 1, "images": 1}
        signal = {"image_id": IMAGE_IDS[0], "page_id": IMAGE_IDS[1], "host": "a.org"}
        _write(work.dir, SIGNALS, [{**signal, "source": "alt", "text": text, "weight": 0.7}])
        _write(work.dir, REJECTS, [])


def _write(directory: Path, schema: TableSchema, rows: list[dict[str, object]]) -> None:
    name = f"{schema.name}-00000-of-00001.parquet"
    write_parquet(pa.Table.from_pylist(rows, schema=schema.arrow), directory / name)


def _candidate(number: int) -> dict[str, object]:
    item = {"source": ("alt", "title")[number % 2], "strength": 0.1, "n_pages": 1, "n_hosts": 1}
    pair = {"image_id": IMAGE_IDS[number], "label_id": ("l1", "l2")[number // 2]}
    return {**pair, "evidence": [item], "silent": [], "ambiguity": 1}


def _selected(number: int) -> dict[str, object]:
    pair = {"image_id": IMAGE_IDS[number], "label_id": ("l1", "l2")[number // 2]}
    reason = "kept" if number == 0 else "below_threshold"
    return {**pair, "p_correct": 0.9 - number / 10, "kept": number == 0, "reason": reason}


def _label(label_id: str, name: str) -> dict[str, object]:
    return {"label_id": label_id, "names": [{"name": name, "lang": "en"}], "parents": []}
