"""Mean average precision of boxes as COCO defines it, computed by COCO's own program."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from training.transfer.boxes import area
from training.transfer.fcos import Detections

MEASURES = ("map", "ap50", "ap75", "map_small", "map_medium", "map_large")


def coco_measures(
    truth: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]],
    detected: Sequence[Detections],
    n_classes: int,
) -> Iterator[tuple[str, float]]:
    """Yield ``map`` (mean over overlaps of .50 to .95), ``ap50``, ``ap75``, and mAP by size.

    Small, medium and large are areas below 32 x 32 pixels, below 96 x 96, and above; a size without
    objects is left out. The area is that of the annotation, of which COCO counts the pixels, and
    not that of its box; for an object that was found it is that of the box.

    Parameters
    ----------
    truth
        For each image boxes (``float[m, 4]``), classes (``int64[m]``), flags of boxes to ignore
        (``bool[m]``) and areas (``float[m]``); at least one box must not be ignored.
    detected
        The objects found in each image, in the same pixels.
    """
    entries = [
        entry | {"iscrowd": int(ignored)}
        for image, (boxes, classes, crowd, areas) in enumerate(truth)
        for entry, ignored in zip(
            _entries(image, boxes, classes, areas), crowd.tolist(), strict=True
        )
    ]
    answers = [
        entry | {"score": score}
        for image, objects in enumerate(detected)
        for entry, score in zip(
            _entries(image, objects.boxes, objects.classes, area(objects.boxes)),
            objects.scores.tolist(),
            strict=True,
        )
    ]
    with contextlib.redirect_stdout(io.StringIO()):  # the program prints its tables
        program = COCOeval(
            _indexed(entries, len(truth), n_classes),
            _indexed(answers, len(truth), n_classes),
            "bbox",
        )
        program.evaluate()
        program.accumulate()
        program.summarize()
    for name, value in zip(MEASURES, program.stats.tolist(), strict=False):
        if value >= 0:  # -1 means a size without objects
            yield name, value


def _entries(
    image: int, boxes: Tensor, classes: Tensor, areas: Tensor
) -> Iterator[dict[str, object]]:
    for box, size, code in zip(boxes.tolist(), areas.tolist(), classes.tolist(), strict=True):
        left, top, right, bottom = box
        sides = [left, top, right - left, bottom - top]
        yield {"image_id": image, "category_id": code, "bbox": sides, "area": size}


def _indexed(entries: list[dict[str, object]], n_images: int, n_classes: int) -> COCO:
    result = COCO()
    result.dataset = {
        "images": [{"id": image} for image in range(n_images)],
        "categories": [{"id": code} for code in range(n_classes)],
        "annotations": [entry | {"id": number} for number, entry in enumerate(entries, 1)],
    }
    result.createIndex()
    return result
