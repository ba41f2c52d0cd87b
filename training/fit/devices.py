"""Devices, and repeatable results on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def chosen_device() -> torch.device:
    """Return the device that computes: a GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def memory_format(device: torch.device, width: int) -> torch.memory_format:
    """Return the memory format in which a network of a width is computed fastest.

    On the CPU, torch 2.13 with channels last writes outside its memory ("double free or
    corruption") if there are fewer than 16 channels; its kernels are made for multiples of 16.
    """
    is_safe = device.type != "cpu" or width % 16 == 0
    return torch.channels_last if is_safe else torch.contiguous_format


@contextmanager
def seeded(seed: int, device: torch.device, n_threads: int | None = None) -> Iterator[None]:
    """Make torch's random numbers and results on the CPU repeatable; restore its state afterwards.

    Parameters
    ----------
    seed
        Seed of torch's global generator.
    device
        Device that computes.
    n_threads
        Threads of the CPU, on which results depend too; torch's own number by default.
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
