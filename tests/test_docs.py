"""The documentation describes the code: its commands run, its pages are up to date."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.cli import main
from pipelines.demo.run import DemoSettings, run_demo

ROOT = Path(__file__).resolve().parent.parent


def shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_of_a_candidate_names_modules_that_exist() -> None:
    steps = load(ROOT / "docs" / "images" / "candidate.py").STEPS
    modules = [name for _, _, names in steps for name in names.split(", ") if name]
    assert len(modules) >= len(steps) - 1
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_reference_pages_are_up_to_date() -> None:
    path = ROOT / "docs" / "reference" / "generate.py"
    generate = load(path)
    for name, text in generate.pages().items():
        written = (path.parent / name).read_text(encoding="utf-8")
        assert written == text, f"{name} is out of date: run python docs/reference/generate.py"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs/guarantees.md").read_text("utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("line", ["scripts/demo", "scripts/test", "scripts/check"])
def test_scripts_that_the_documents_name_can_be_run(line: str) -> None:
    assert line in shell_lines(
        "".join((ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    )
    assert os.access(ROOT / line, os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / line)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run them in their order, with less training: the demo trains three models of the same kind.

    `.ci/run` runs this test, and scripts/demo the same demo.
    """
    lines = shell_lines((ROOT / "README.md").read_text(encoding="utf-8"))
    commands = ["winnow demo" if line == "scripts/demo" else line for line in lines]
    commands.remove("scripts/test")
    assert all(command.startswith("winnow ") for command in commands)
    shorter = functools.partial(run_demo, settings=DemoSettings(steps=60))
    monkeypatch.setattr("pipelines.demo.run.run_demo", shorter)
    monkeypatch.chdir(tmp_path)
    outputs = {}
    for command in commands:
        main(command.split()[1:], standalone_mode=False)
        outputs[command] = capsys.readouterr().out
    assert "the selected third" in outputs["winnow demo"]
    assert "precision_low" in outputs["winnow select runs/mine -o select.keep=0.25"]
    for page in ("winnow-demo/report.html", "runs/mine/report.html"):
        assert (tmp_path / page).stat().st_size > 50_000
