"""No docstring, comment or page refers to a module, file or name that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import references

SOURCE = '''
"""Votes to labels."""

LIMIT = 3


class Vote:
    """A vote."""

    weight: float = 1

    def __init__(self):
        self.user = None


def count(votes, column="image_id"):
    """Count."""
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for package in references.PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "labeling" / "feedback").mkdir()
    (tmp_path / "labeling" / "feedback" / "voters.py").write_text(SOURCE)
    return tmp_path


def test_every_reference_leads_somewhere() -> None:
    tree = references.read_tree()
    assert len(tree.modules) > 150
    assert references.all_faults(references.READ, tree) == []


@pytest.mark.parametrize(
    "reference",
    [
        "labeling/feedback/voters.py",
        "labeling/feedback/",
        "voters.py",
        "labeling.feedback.voters.count(votes)",
        "labeling.feedback.voters.Vote.user",
        "Vote.weight",
        "count",
        "LIMIT",
        "column",
        "image_id",
        "report.html",
        "METHOD_accuracy",
        "--limit 3",
        "float64[n]",
    ],
)
def test_a_reference_to_what_exists_is_left_alone(reference: str, root: Path) -> None:
    tree = references.read_tree(root)
    assert references.fault(reference, tree) is None


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("labeling/voters.py", "no such file"),
        ("trust.py", "no module of this name"),
        ("labeling.voters", "labeling has no voters"),
        ("labeling.feedback.voters.tally", "labeling.feedback.voters has no tally"),
        ("labeling.feedback.voters.Vote.age", "Vote has no age"),
        ("Vote.age", "Vote has no age"),
        ("trust.LIMIT", "no such name"),
        ("tally()", "no such name"),
    ],
)
def test_a_stale_reference_is_found(reference: str, reason: str, root: Path) -> None:
    assert references.fault(reference, references.read_tree(root)) == reason


def test_docstrings_comments_pages_and_their_imports_are_read(root: Path) -> None:
    (root / "curation" / "scores.py").write_text(
        '"""Scores from `tally`.\n\nSee labeling/trust.py.\n"""\n'
        "x = 1  # as ``Vote.age``\n"
        'y = "read docs/none.md for this"\n'
    )
    (root / "page.md").write_text(
        "`count`\n\n```python\nfrom labeling.feedback.voters import count, tally\n```\n"
    )
    assert references.all_faults(
        [root / "curation", root / "page.md"], references.read_tree(root)
    ) == [
        "curation/scores.py:1: tally: no such name",
        "curation/scores.py:3: labeling/trust.py: no such file",
        "curation/scores.py:6: docs/none.md: no such file",
        "curation/scores.py:5: Vote.age: Vote has no age",
        "page.md:4: labeling.feedback.voters.tally: labeling.feedback.voters has no tally",
    ]
