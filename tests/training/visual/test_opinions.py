from __future__ import annotations

import numpy as np

from training.visual.opinions import MAX_BEYOND, Pairs, Sure

FOLD = np.array([0, 1, 0], np.int8)
PAIRS = Pairs(np.arange(3), np.array([0, 0, 2]), np.array([1, 3, 0]), FOLD, 8)


def seen(least: float | None, logits: np.ndarray) -> set[tuple[int, int, float]]:
    """Return the pairs beyond the candidates that fold 0 holds, seen in two parts."""
    sure = Sure(PAIRS, least, 0)
    sure.see(np.arange(2), logits[:2].astype(np.float32))
    sure.see(np.arange(2, 3), logits[2:].astype(np.float32))
    image, label, strength = sure.pairs_seen()
    return {*zip(image.tolist(), label.tolist(), strength.tolist(), strict=True)}


def test_pairs_beyond_are_not_candidates_and_of_the_fold() -> None:
    logits = np.full((3, 8), -3.0)
    logits[:, [1, 3]] = 2.0
    assert seen(0.5, logits) == {(2, 1, 2.0), (2, 3, 2.0)}
    assert seen(0.9, logits) == set()  # .9 is a logit of 2.2
    assert seen(None, logits) == set()


def test_of_an_image_those_of_most_strength_are_taken() -> None:
    logits = np.tile(np.arange(8.0), (3, 1))
    labels = [label for image, label, _ in seen(0.5, logits) if image == 2]
    assert sorted(labels) == [*range(8)][-MAX_BEYOND:]
