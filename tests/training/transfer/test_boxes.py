from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.transfer.boxes import generalised_iou, iou, suppress

SOME = st.tuples(st.integers(1, 12), st.just(4))
CORNERS = hnp.arrays(np.int64, SOME, elements=st.integers(0, 9))


def to_boxes(corners: np.ndarray) -> torch.Tensor:
    """Turn any corners into boxes of whole pixels with an area."""
    low = np.minimum(corners[:, :2], corners[:, 2:])
    high = np.maximum(corners[:, :2], corners[:, 2:]) + 1
    return torch.tensor(np.concatenate([low, high], 1), dtype=torch.float32)


def pixels(box: torch.Tensor) -> np.ndarray:
    """Draw a box, so that overlap can be counted."""
    canvas = np.zeros((12, 12), bool)
    left, top, right, bottom = box.int().tolist()
    canvas[top:bottom, left:right] = True
    return canvas


@given(CORNERS, CORNERS)
@settings(max_examples=20)
def test_overlap_is_that_of_the_pixels(first, second) -> None:
    a, b = to_boxes(first), to_boxes(second)
    expected = [
        [(pixels(x) & pixels(y)).sum() / (pixels(x) | pixels(y)).sum() for y in b] for x in a
    ]
    assert np.allclose(iou(a, b), expected, atol=1e-6)


@given(CORNERS)
@settings(max_examples=20)
def test_generalised_overlap_is_below_overlap_and_1_for_equal_boxes(corners) -> None:
    a = to_boxes(corners)
    b = a.flip(0)
    assert (generalised_iou(a, b) <= iou(a, b).diagonal() + 1e-6).all()
    assert (generalised_iou(a, b) > -1).all()
    assert torch.allclose(generalised_iou(a, a), torch.ones(len(a)))


def greedy(boxes: torch.Tensor, scores: list[int], classes: list[int], limit: float) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda r: -scores[r]):
        rivals = [k for k in kept if classes[k] == classes[row]]
        if all(iou(boxes[[row]], boxes[[k]]).item() <= limit for k in rivals):
            kept.append(row)
    return kept


@given(CORNERS, st.randoms(use_true_random=False), st.sampled_from([0.21, 0.51, 0.81]))
@settings(max_examples=30)
def test_suppression_is_that_of_a_greedy_loop(corners, random, limit: float) -> None:
    boxes = to_boxes(corners)
    scores = [random.randrange(5) for _ in boxes]
    classes = [random.randrange(2) for _ in boxes]
    kept = suppress(boxes, torch.tensor(scores), torch.tensor(classes), limit)
    assert kept.tolist() == greedy(boxes, scores, classes, limit)


def test_no_boxes_stay_none() -> None:
    none = torch.zeros(0)
    assert suppress(torch.zeros(0, 4), none, none.long(), 0.5).tolist() == []


def test_boxes_without_area_overlap_nothing() -> None:
    flat = torch.tensor([[1.0, 1, 1, 5]])
    assert iou(flat, flat).item() == pytest.approx(0)
