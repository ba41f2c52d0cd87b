"""Where tensors are computed, and that the CPU computes the same again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def chosen_device() -> torch.device:
    """Return the device that computes: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(seed: int, device: torch.device, n_threads: int | None = None) -> Iterator[None]:
    """Make what torch draws and computes on the CPU follow from the seed; put all back after.

    Parameters
    ----------
    n_threads
        Threads of the CPU, on which results depend too; torch's own number if not given.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.default_generator.manual_seed(seed)
            torch.set_num_threads(n_threads or threads)
            torch.use_deterministic_algorithms(deterministic or device.type == "cpu")
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
