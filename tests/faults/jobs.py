"""A small labeling job with several splits and buckets, of texts, links and feedback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.runs.stage import current, verify

THINGS = ("cat", "dog", "owl", "fox")
N_PAGES = 12
ROWS_PER_BUCKET = 50

CONFIG = """\
[taxonomy]
path = "taxonomy.jsonl"

[[signals]]
path = "texts"
columns = { image = "image", text = "text", page = "page" }

[[links]]
path = "links.csv"

[[feedback]]
path = "feedback.csv"
"""


def write_job(folder: Path, n_files: int = 3) -> Path:
    """Write inputs with `n_files` tables of texts, and return their configuration's path."""
    (folder / "texts").mkdir(parents=True)
    for number in range(n_files):
        texts = [
            f"https://i.org/{page}-{number}.jpg,a {thing} {number},{url_of(page)}"
            for page in range(N_PAGES)
            for thing in (THINGS[page % 4], THINGS[(page + number) % 4])
        ]
        _write(folder / "texts" / f"{number}.csv", ["image,text,page", *texts])
    links = [
        f"{url_of(n)},{url_of((n + step) % N_PAGES)}" for n in range(N_PAGES) for step in (1, 5)
    ]
    _write(folder / "links.csv", ["src,dst", *links])
    votes = [
        f"e{n},https://i.org/{n}-0.jpg,{THINGS[n % 4]},,up,u{n % 5},,{n}" for n in range(N_PAGES)
    ]
    _write(folder / "feedback.csv", ["event_id,image,label,query,kind,user,position,time", *votes])
    _write(folder / "taxonomy.jsonl", [json.dumps({"id": t, "names": [t]}) for t in THINGS])
    _write(folder / "run.toml", [CONFIG])
    return folder / "run.toml"


def url_of(page: int) -> str:
    return f"https://h{page % 4}.org/{page}"


def outputs(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the manifest of each current stage without its times, all its files verified."""
    manifests = {}
    for stage in ("signals", "candidates"):
        output = current(run_dir, stage)
        if output is not None:
            verify(output)
            there = {p.name for p in output.dir.iterdir()} - {"manifest.json"}
            assert there == {entry["name"] for entry in output.manifest["files"]}
            manifests[stage] = {
                key: value for key, value in output.manifest.items() if key != "run"
            }
    return manifests


@dataclass(frozen=True)
class Undisturbed:
    """The same job before and after its inputs grew, each run to its end in a folder of its own."""

    config: Path
    old_run: Path
    old: dict[str, Any]
    new: dict[str, Any]
    n_operations: int
    seconds: float

    def check_whole(self, run_dir: Path) -> None:
        """Check that each stage's current output is the old one or the new one, if there is any."""
        for stage, manifest in outputs(run_dir).items():
            assert manifest in (self.old[stage], self.new[stage])

    def check_new(self, run_dir: Path) -> None:
        """All is as an undisturbed run leaves it."""
        assert outputs(run_dir) == self.new
        assert list((run_dir / ".staging").iterdir()) == []


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
