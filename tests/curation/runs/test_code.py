from __future__ import annotations

import re
import subprocess
import sys

import pytest

from curation.runs.code import MAKERS, code_version, makers_of
from curation.runs.stage import MADE_BY
from labeling.code_digest import PACKAGES, closure

MODULES = sorted({module for makers in MAKERS.values() for module in makers})


def test_every_stage_has_its_makers() -> None:
    assert set(MADE_BY) <= set(MAKERS)
    assert makers_of("model-random") == MAKERS["model"]
    assert makers_of("something else") == PACKAGES


def test_what_a_maker_loads_is_what_its_digest_covers() -> None:
    """One process for all, which forgets our modules before each: beam and torch stay loaded."""
    program = (
        "import importlib, sys\n"
        f"ours = {PACKAGES!r}\n"
        f"for module in {MODULES!r}:\n"
        "    for name in [n for n in sys.modules if n.split('.')[0] in ours]:\n"
        "        del sys.modules[name]\n"
        "    importlib.import_module(module)\n"
        "    print(*(n for n in sys.modules if n.split('.')[0] in ours))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for module, line in zip(MODULES, done.stdout.splitlines(), strict=True):
        assert set(line.split()) <= set(closure(module)), module


@pytest.mark.parametrize(
    ("stage", "module", "depends"),
    [
        ("signals", "training.fit.train", False),
        ("candidates", "labeling.matching.matcher", True),
        ("candidates", "curation.report.report", False),
        ("scored", "curation.scoring.scoring", True),
        ("shards", "curation.shards.tars", True),
        ("shards", "training.fit.checkpoints", False),
        ("shards", "training.evaluation.evaluate", False),
        ("model", "training.fit.train", True),
        ("model", "training.losses.softmax", True),
        ("model", "curation.scoring.scoring", False),
        ("model", "labeling.readers.web_archives.archives", False),
        ("evaluation", "training.evaluation.evaluate", True),
        ("cell-all-18-100-0", "training.transfer.detect", True),
    ],
)
def test_a_stage_depends_on_the_code_that_makes_it(stage: str, module: str, depends: bool) -> None:
    assert (module in closure(*makers_of(stage))) == depends


def test_the_version_can_be_read() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\+[0-9a-f]{8}", code_version("shards-all"))
    assert code_version("shards") == code_version("shards-all") != code_version("model")
