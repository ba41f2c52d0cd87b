"""Transfer to detection: boxes around objects, measured by COCO's mAP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from training.transfer.augmentation import coin_flips, mirrored
from training.transfer.coco_map import coco_measures
from training.transfer.fcos import Detections, Detector, detection_loss, detections
from training.transfer.readers.boxes import Boxed, read_box_task
from training.transfer.task import TransferTask

BATCH_SIZE = 16


class Detection(TransferTask[Boxed]):
    """A task of detection; for its measures see `training.transfer.coco_map.coco_measures`."""

    main = "map"
    enlarged = 4

    read = staticmethod(read_box_task)

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a folder has annotations of Pascal VOC or COCO."""
        files = (file for folder in (path, path / "annotations") for file in folder.glob("*.json"))
        return (path / "Annotations").is_dir() or any(files)

    def first_network(self, method: str) -> Detector:
        """Return a detector with a fresh head."""
        return Detector(self.backbone(method), len(self.data.names))

    def loss(self, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the detector's loss of images of which half are mirrored."""
        train = self.data.train
        pixels, boxes = randomly_mirrored(train, rows, generator)
        predictions = network(self.network_input(pixels))
        device = predictions.logits.device
        kept = [~train.ignored[row] for row in rows.tolist()]
        classes = [train.classes[row] for row in rows.tolist()]
        return detection_loss(
            predictions,
            [b[k].to(device) for b, k in zip(boxes, kept, strict=True)],
            [c[k].to(device) for c, k in zip(classes, kept, strict=True)],
        )

    def measures(self, network: nn.Module) -> dict[str, float]:
        """Return COCO's measures of a detector on the test images, in pixels of their files."""
        test = self.data.test
        boxes = [b / scale for b, scale in zip(test.boxes, test.scale, strict=True)]
        truth = list(zip(boxes, test.classes, test.ignored, test.areas, strict=True))
        return dict(coco_measures(truth, self.detect(network), len(self.data.names)))

    def detect(self, network: nn.Module) -> list[Detections]:
        """Return the objects found in each test image, in pixels of its file."""
        test, detected = self.data.test, []
        with torch.inference_mode():
            for pixels in torch.split(test.pixels, BATCH_SIZE):
                points = network(self.network_input(pixels))
                detected += [detections(points, i, pixels.shape[1]) for i in range(len(pixels))]
        return [
            dataclasses.replace(objects, boxes=objects.boxes / scale)
            for objects, scale in zip(detected, test.scale, strict=True)
        ]


def randomly_mirrored(
    images: Boxed, rows: Tensor, generator: torch.Generator
) -> tuple[Tensor, list[Tensor]]:
    """Return the pixels of some images and their boxes, with half of the images mirrored."""
    chosen = coin_flips(len(rows), generator)
    pixels = mirrored(images.pixels[rows], chosen)
    side = pixels.shape[2]
    boxes = [images.boxes[row] for row in rows.tolist()]
    turned = [torch.stack([side - b[:, 2], b[:, 1], side - b[:, 0], b[:, 3]], 1) for b in boxes]
    return pixels, [t if c else b for b, t, c in zip(boxes, turned, chosen.tolist(), strict=True)]
