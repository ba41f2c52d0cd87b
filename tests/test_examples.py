"""The examples run: as scripts, and cell by cell as a notebook runs."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import fit_few

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def run_script(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    fit_few(monkeypatch)
    monkeypatch.syspath_prepend(EXAMPLES)
    return runpy.run_path(str(EXAMPLES / name))


def run_cells(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """Run the code cells of a notebook; return its names, and what each cell shows."""
    names: dict[str, Any] = {}
    shown = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            *statements, last = ast.parse("".join(cell["source"])).body
            is_shown = isinstance(last, ast.Expr)
            before = statements if is_shown else [*statements, last]
            exec(compile(ast.Module(before, []), path.name, "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), path.name, "eval"), names))
    return names, shown


def test_a_table_of_alt_texts_becomes_a_selected_third(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run_script("select_a_third.py", monkeypatch)
    kept, texts = names["kept"], names["texts"]
    assert kept.n_kept == round(len(names["candidates"]) / 3)
    everything = names["judge"](names["selected"], texts)
    right = (everything["verdict"] == "yes").mean()
    assert right > 0.9
    assert kept.interval.low <= right <= kept.interval.high
    assert "horse" in capsys.readouterr().out


def test_a_source_of_ones_own_keeps_more_at_the_same_precision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run_script("own_source.py", monkeypatch)
    assert names["folder_of"]("https://a.org/cats/1.jpg") == "cats"
    counts = re.findall(r"<Kept ([\d,]+) of", capsys.readouterr().out)
    without, with_source = (int(n.replace(",", "")) for n in counts)
    assert with_source > without * 1.3


def test_a_pipeline_of_ones_own_counts_labels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run_script("own_pipeline.py", monkeypatch)
    lines = capsys.readouterr().out.split("\n")[:-1]
    counts = {label: int(n) for label, n in map(str.split, lines)}
    named = names["make_texts"](300)["alt"].str.rpartition(" ")[2]
    assert counts == named.value_counts().to_dict()


def test_a_threshold_is_tuned_in_a_notebook() -> None:
    names, shown = run_cells(EXAMPLES / "tune_threshold.ipynb")
    assert all("<t" in value._repr_html_() for value in shown if value is not None)
    kept = names["kept"]
    assert names["is_right"][kept.table["kept"]].mean() > 0.85
    assert names["table"].to_pandas()["low"].max() > 0.85
