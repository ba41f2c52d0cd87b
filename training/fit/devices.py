"""Where tensors are computed, and that the CPU computes the same again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def chosen_device() -> torch.device:
    """Return the device that computes: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def memory_format(device: torch.device, width: int) -> torch.memory_format:
    """Return the order of numbers in which a network of a width is computed fastest.

    On the CPU, torch 2.13 with channels last writes beyond its memory ("double free or corruption")
    where there are fewer than 16 channels; a multiple of 16 is what its kernels are made for.
    """
    is_safe = device.type != "cpu" or width % 16 == 0
    return torch.channels_last if is_safe else torch.contiguous_format


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
