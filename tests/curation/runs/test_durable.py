from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.runs.durable import reporting_write_errors
from labeling.errors import InputError


def test_an_interrupt_is_not_hidden_by_an_error_of_its_clean_up(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), reporting_write_errors("file", tmp_path):
        try:
            raise KeyboardInterrupt
        finally:
            os.close(-1)


def test_a_write_error_is_an_error_about_the_input(tmp_path: Path) -> None:
    refused = pytest.raises(InputError, match="Bad file descriptor")
    with refused, reporting_write_errors("file", tmp_path):
        os.close(-1)
