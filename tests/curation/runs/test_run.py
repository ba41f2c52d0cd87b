from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curation.runs.run import open_run
from curation.runs.staging import write_stage
from curation.runs.table_files import write_table
from labeling.errors import InputError
from labeling.schemas import SIGNALS, TAXONOMY
from labeling.taxonomy.taxonomy import Label, build_taxonomy

TEXT = "<script>alert(1)</script>\u202e"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    signal = {"image_id": "0" * 32, "page_id": "1" * 32, "host": "a.org", "source": "alt"}
    rows = [{**signal, "text": TEXT, "weight": 1.0}] * 50
    with write_stage(tmp_path, "signals", inputs={"<b>.csv": "x"}, config={}) as work:
        work.counts |= {"signals": 50}
        table = pa.Table.from_pylist(rows, schema=SIGNALS.arrow)
        write_table(table, work.dir, "signals")
    labels = [Label(f"l{i}", ((TEXT, "en"),), (), None, 1) for i in range(50)]
    with write_stage(tmp_path, "candidates", inputs={}, config={}) as work:
        table = build_taxonomy(labels, "test").to_table()
        write_table(table, work.dir, TAXONOMY.name)
    return tmp_path


def test_tables_of_a_run_are_read_by_their_names(run_dir: Path) -> None:
    run = open_run(str(run_dir))
    assert run.signals.to_arrow().num_rows == 50
    assert run.signals.to_pandas(["text"])["text"].unique().tolist() == [TEXT]
    assert list(run.stages) == ["signals", "candidates"]
    assert run.taxonomy.label_ids[0] == "l0"


def test_a_stage_or_a_table_that_is_not_there_is_an_error(run_dir: Path) -> None:
    with pytest.raises(InputError, match="winnow select"):
        _ = open_run(run_dir).selected
    with pytest.raises(InputError, match="holds no table links"):
        open_run(run_dir).links.to_arrow()
    with pytest.raises(InputError, match="not a run folder"):
        open_run(run_dir / "signals")


def test_views_in_a_notebook_are_escaped_and_small(run_dir: Path) -> None:
    run = open_run(run_dir)
    for shown in (run, run.signals, run.taxonomy, *run.stages.values()):
        html = shown._repr_html_()
        assert "<script" not in html
        assert "<b>" not in html
        assert "\u202e" not in html
        assert html.count("<tr>") <= 21
        assert len(repr(shown)) < 200
    assert "&lt;script&gt;" in run.signals._repr_html_()
    assert "&lt;script&gt;" in run.taxonomy._repr_html_()
