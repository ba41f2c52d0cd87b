from __future__ import annotations

from pathlib import Path

import pytest
from shops import write_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Write the shop and return the path of its configuration."""
    folder = tmp_path / "shop"
    write_shop(folder)
    return folder / "run.toml"
