"""Random changes of training images: shifts and reflections."""

from __future__ import annotations

import torch
from torch import Tensor


def coin_flips(n: int, generator: torch.Generator) -> Tensor:
    """Return ``bool[n]``, each true with probability 1/2."""
    return torch.randint(0, 2, (n,), generator=generator, dtype=torch.bool)


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """Return ``[n, s, s, ...]`` with those images mirrored for which ``bool[n]`` is true."""
    return torch.where(chosen.reshape(-1, *[1] * (images.ndim - 1)), images.flip(2), images)


def moved_and_mirrored(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each of ``[n, s, s, 3]`` by up to an eighth of its side, and mirror half of them.

    The image's own reflection fills the space at an edge.
    """
    n, side = pixels.shape[:2]
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (2, n, 1), generator=generator)
    chosen = coin_flips(n, generator)[:, None]
    # Pixel -k is pixel k, and pixel (side - 1) + k is (side - 1) - k.
    rows, cols = (side - 1) - ((side - 1) - (torch.arange(side) + shift).abs()).abs()
    cols = torch.where(chosen, cols.flip(1), cols)
    return pixels[torch.arange(n)[:, None, None], rows[:, :, None], cols[:, None, :]]
