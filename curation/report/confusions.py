"""Labels that are confused: a wrong label of an image, and the right one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from labeling.taxonomy.taxonomy import Taxonomy

Pair = tuple[str, str]
"""Ids of an image and a label."""

N_CONFUSIONS = 8
"""Twos of labels that are shown."""


def find_confusions(
    wrong: Iterable[Pair], right: Iterable[Pair], taxonomy: Taxonomy, n: int = N_CONFUSIONS
) -> list[dict[str, Any]]:
    """Return the twos of a wrong and a right label that most images have.

    A right label above another right one of the image is left out, and so is one above or below the
    wrong label: a dog that is labeled husky is not another thing.

    Parameters
    ----------
    wrong, right
        Pairs that are known to be wrong, and right.
    n
        Twos to return, at most.

    Returns
    -------
    list
        Of ``wrong`` and ``right``, label ids; ``n_images``; and ``image_ids``, sorted.
    """
    labels_of: dict[str, list[int]] = defaultdict(list)
    for image_id, label_id in right:
        labels_of[image_id].append(taxonomy.code(label_id))
    images: dict[tuple[int, int], list[str]] = defaultdict(list)
    for image_id, label_id in wrong:
        code = taxonomy.code(label_id)
        for other in _lowest(labels_of.get(image_id, []), taxonomy):
            if not _is_related(code, other, taxonomy):
                images[code, other].append(image_id)
    most = sorted(images.items(), key=lambda item: (-len(item[1]), item[0]))[:n]
    ids = taxonomy.label_ids
    return [
        {"wrong": ids[a], "right": ids[b], "n_images": len(of), "image_ids": sorted(of)}
        for (a, b), of in most
    ]


def _lowest(codes: list[int], taxonomy: Taxonomy) -> list[int]:
    """Return labels that are above no other."""
    above = {ancestor for code in codes for ancestor in taxonomy.ancestors[code]}
    return [code for code in codes if code not in above]


def _is_related(a: int, b: int, taxonomy: Taxonomy) -> bool:
    return a == b or a in taxonomy.ancestors[b] or b in taxonomy.ancestors[a]
