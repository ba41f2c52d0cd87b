from __future__ import annotations

import re
from pathlib import Path

import pytest

from labeling.errors import ConfigError
from pipelines.run.config import TrainSettings
from pipelines.studies.settings import held_precision, read_study, training_of

GOOD = """\
run = "run"
sizes = [20, 40]
depths = [18]
label_sets = ["all", "precision-0.85"]
seeds = [3]

[[task]]
path = "birds"

[train]
steps = 7
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_start_from_the_file(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, GOOD), ["seeds=[4, 5]"])
    assert study.run == str(tmp_path / "run")
    assert study.task[0].path == str(tmp_path / "birds")
    assert (study.sizes, study.seeds) == ((20, 40), (4, 5))
    assert held_precision(study.label_sets[1]) == 0.85


def test_trainings_have_the_settings_of_the_run_except_those_of_the_study(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, GOOD))
    training = training_of(study, TrainSettings(depth=50, width=8, steps=9, seed=5))
    assert (training["width"], training["steps"]) == (8, 7)
    assert not {"depth", "seed"} & set(training)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    wrong = GOOD.replace("[18]", "[18, 19]").replace("[3]", "[]").replace("steps", "stpes")
    with pytest.raises(ConfigError) as caught:
        read_study(write(tmp_path, wrong))
    text = str(caught.value)
    assert 'study.toml:3:1: "depths.1": input should be 18, 34, 50, 101 or 152, found 19' in text
    assert 'study.toml:5:1: "seeds": tuple should have at least 1 item' in text
    assert 'study.toml:11:1: unknown key "train.stpes" (did you mean "steps"?)' in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[20, 40]", "[20]", "set two sizes or more, or the smallest of them, and not both"),
        ("sizes = [20, 40]", "", "set two sizes or more"),
        ("[20, 40]", "[20, 40]\nsmallest = 3", "and not both"),
        ("[20, 40]", "[20, 20]", "each may be listed only once"),
        ("[20, 40]", "[0, 20]", "greater than or equal to 1"),
        ('"all"', '"all", ' + ", ".join(f'"precision-0.{n}"' for n in range(2, 8)), "at most 6"),
        ('"all"', '"best"', "is not one of all, random, selected, precision-0.9"),
        ('"all"', '"precision-1.2"', "is not one of all"),
        ("steps = 7", "depth = 50", "depth comes from the study's own list, depths"),
        ("steps = 7", "seed = 1", "seed comes from the study's own list, seeds"),
        ('[[task]]\npath = "birds"', "", ""),
        ('run = "run"', "", 'missing key "run"'),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    if not expected:
        read_study(path)
        path = write(tmp_path, "held_out = false\n" + GOOD.replace(old, new))
        expected = "nothing to measure"
    with pytest.raises(ConfigError) as caught:
        read_study(path)
    assert expected in str(caught.value)


def test_the_example_of_the_documentation_is_a_study(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "study.md"
    whole, task = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    study = read_study(write(tmp_path, f"{whole}\n{task}"))
    assert (study.label_sets, study.task[0].methods) == (("selected", "all"), ("linear",))
