from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.drawings import Drawing, write_tar


@pytest.fixture
def write_shard(tmp_path: Path) -> Callable[..., Path]:
    """Write drawings as one shard: ``write_shard(drawings, name="a.tar")``."""

    def write(drawings: list[Drawing], name: str = "shard-00000.tar") -> Path:
        members = {k: v for drawing in drawings for k, v in drawing.members.items()}
        return write_tar(tmp_path / name, members)

    return write
