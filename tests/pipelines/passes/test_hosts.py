from __future__ import annotations

from pathlib import Path

import pytest

from curation.runs.stage import Stage
from labeling.schemas import CANDIDATES
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.shuffle import engine

N_PAGES = 8
CONFIG = """\
[taxonomy]
path = "taxonomy.jsonl"

[[site]]
path = "site"
"""
PAGE = """\
<html><body>
<img src="logo.jpg" alt="cherry">
<figure><img src="{number}.jpg" alt="{alt}"><figcaption>{caption}</figcaption></figure>
</body></html>
"""


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """Write a site with a logo on every page, and a slogan under every picture."""
    host = tmp_path / "site" / "fruit.example"
    host.mkdir(parents=True)
    (host / "logo.jpg").write_bytes(b"logo")
    for number in range(N_PAGES):
        (host / f"{number}.jpg").write_bytes(b"%d" % number)
        alt = "pear" if number == 0 else f"view {number}"
        page = PAGE.format(number=number, alt=alt, caption="More apples for all")
        (host / f"{number}.html").write_text(page, encoding="utf-8")
    taxonomy = "".join(f'{{"id": "{n}", "names": ["{n}"]}}\n' for n in ("apple", "cherry", "pear"))
    (tmp_path / "taxonomy.jsonl").write_text(taxonomy, encoding="utf-8")
    path = tmp_path / "run.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def strengths(stage: Stage) -> dict[tuple[str, str], set[float]]:
    strengths_of: dict[tuple[str, str], set[float]] = {}
    for row in stage.table(CANDIDATES).to_pylist():
        for item in row["evidence"]:
            of_source = strengths_of.setdefault((row["label_id"], item["source"]), set())
            of_source.add(round(item["strength"], 3))
    return strengths_of


def test_slogans_and_logos_count_little(config_path: Path, tmp_path: Path) -> None:
    stage = label(read_config(config_path), tmp_path / "run")
    strengths_of = strengths(stage)
    assert strengths_of["pear", "alt"] == {1.0}
    assert strengths_of["cherry", "alt"] == {0.1}
    assert strengths_of["apple", "caption"] == {0.09}
    assert stage.counts["boilerplate_text"] >= 2 * N_PAGES
    assert {"boilerplate_text", "boilerplate_image"} <= stage.counts.keys()


def test_the_number_of_buckets_changes_nothing(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = label(read_config(config_path), tmp_path / "one")
    monkeypatch.setattr(engine, "ROWS_PER_BUCKET", 5)
    second = label(read_config(config_path), tmp_path / "two")
    assert strengths(second) == strengths(first)
    assert second.counts == first.counts
