from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest


def fit_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn in a quarter of the time, and a little worse, where how well is not the question."""
    monkeypatch.setattr("curation.scoring.boosting.N_TREES", 5)
    monkeypatch.setattr("curation.scoring.self_training.RIDGES", (0.03, 0.3))
    monkeypatch.setattr("curation.scoring.self_training.N_ROUNDS", 1)


@pytest.fixture
def few_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn as `fit_few` does."""
    fit_few(monkeypatch)


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Run a server of S3 and return its address."""
    from tests.buckets import s3_server

    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a new bucket, such as ``s3://b-1f…``, that winnow can read."""
    from tests.buckets import make_bucket, use_server

    use_server(monkeypatch, s3_address)
    return make_bucket(f"b-{uuid.uuid4().hex}")
