"""Boxes around objects in the formats of Pascal VOC and COCO."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from labeling.errors import InputError
from training.transfer.readers.annotated import AnnotatedImage
from training.transfer.readers.coco import coco_files, coco_images
from training.transfer.readers.images import LAYOUT
from training.transfer.readers.voc import voc_images


def read_annotations(path: Path, rejects: Counter[str]) -> dict[str, list[AnnotatedImage]]:
    """Read the images of each part of a task; a task that is not split has the part "".

    Parameters
    ----------
    path
        A folder with ``Annotations/*.xml`` and ``JPEGImages``, split by the lists in
        ``ImageSets/Main``; or with COCO's ``*train*.json`` and ``*test*.json`` (or ``val``), there
        or in ``annotations``, with images there, in ``images`` or in ``train2017``.
    rejects
        Counts unusable entries by reason.

    Raises
    ------
    InputError
        If the folder has neither, or a file of COCO or a list of VOC cannot be read.
    """
    if (path / "Annotations").is_dir():
        return voc_images(path, rejects)
    files = coco_files(path)
    if not files:
        raise InputError(
            "a task has no boxes",
            facts={"task": path, "expected": "Annotations/*.xml, or *.json of COCO"},
            help=LAYOUT,
        )
    return coco_images(path, files, rejects)
