"""Annotations of Pascal VOC: an XML file for each image, and lists of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from labeling.errors import InputError
from training.transfer.readers.annotated import AnnotatedImage, AnnotatedObject, finite
from training.transfer.readers.splits import find_parts
from training.transfer.readers.task_files import files_by_stem, paired

MAX_XML_BYTES = 16 << 20
"""Bytes of an annotation; larger ones are left out."""

_FLAGS = ("-1", "0", "1")
"""Ends of lines in the lists of one class: whether an image shows it."""

_UNREADABLE = (OSError, ValueError, LookupError, ElementTree.ParseError)
"""Errors of an XML file; LookupError is an encoding that is not known."""


class _WithoutDoctype(ElementTree.TreeBuilder):
    """A document without definitions: entities could be as large as one likes."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("an annotation has a document type")


def voc_images(path: Path, rejects: Counter[str]) -> dict[str, list[AnnotatedImage]]:
    """Return the images of each part of a task; a task that is not split has the part "".

    Parameters
    ----------
    path
        A folder with ``Annotations/*.xml``, ``JPEGImages`` and lists in ``ImageSets/Main``.
    rejects
        Counts unusable entries by reason.
    """
    images = files_by_stem(path / "JPEGImages")
    annotations = files_by_stem(path / "Annotations", (".xml",))
    lists = split_lists(path / "ImageSets" / "Main", images)
    if not lists:
        rejects["annotation missing"] += len(images.keys() - annotations.keys())
        lists = {"": list(annotations)}
    return {
        part: list(_annotated(paired(stems, images, annotations, "annotation", rejects), rejects))
        for part, stems in lists.items()
    }


def split_lists(folder: Path, images: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return the names in VOC's lists ``train`` and ``test`` (or ``val``), or nothing.

    Parameters
    ----------
    folder
        The folder of the lists.
    images
        Images by their names, which decide whether a number at the end of a line belongs to one.

    Raises
    ------
    InputError
        If a list cannot be read.
    """

    def listed(part: str) -> list[str] | None:
        file = folder / f"{part}.txt"
        return _names(file, images) if file.is_file() else None

    return find_parts(listed)


def _names(file: Path, images: Mapping[str, Path]) -> list[str]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "a list of images cannot be read",
            facts={"file": file, "cause": error},
            help="write one name a line, without its ending, in UTF-8",
        ) from error
    return [_name(line.strip(), images) for line in lines if line.strip()]


def _name(line: str, images: Mapping[str, Path]) -> str:
    """Return the image that a line names, without the flag of a list of one class.

    Examples
    --------
    >>> _name("my cat  1", {"my cat": Path()}), _name("cat 1", {"cat 1": Path()})
    ('my cat', 'cat 1')
    """
    name, _, flag = line.rpartition(" ")
    return name.strip() if line not in images and flag in _FLAGS and name else line


def _annotated(
    files: Iterable[tuple[Path, Path]], rejects: Counter[str]
) -> Iterator[AnnotatedImage]:
    for image, annotation in files:
        try:
            entries = _objects(annotation)
        except _UNREADABLE:
            rejects["annotation unreadable"] += 1
            continue
        yield AnnotatedImage(image, tuple(_readable(entries, rejects)))


def _objects(file: Path) -> list[ElementTree.Element]:
    if file.stat().st_size > MAX_XML_BYTES:
        raise ValueError("an annotation is too large")
    parser = ElementTree.XMLParser(target=_WithoutDoctype())
    return list(ElementTree.parse(file, parser).getroot().iter("object"))


def _readable(
    entries: Sequence[ElementTree.Element], rejects: Counter[str]
) -> Iterator[AnnotatedObject]:
    for entry in entries:
        try:
            yield _object(entry)
        except ValueError:
            rejects["object unreadable"] += 1


def _object(entry: ElementTree.Element) -> AnnotatedObject:
    name = entry.findtext("name", "").strip()
    ends = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = finite([entry.findtext(f"bndbox/{end}", "") for end in ends])
    if not name:
        raise ValueError("an object has no name")
    # VOC counts pixels from 1, and its last pixel is inside the box.
    box = (left - 1, top - 1, right, bottom)
    return AnnotatedObject(name, box, entry.findtext("difficult", "").strip() == "1")
