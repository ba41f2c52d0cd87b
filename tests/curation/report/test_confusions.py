from __future__ import annotations

from curation.report.confusions import find_confusions
from labeling.taxonomy.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy(
    [
        Label("animal", (("animal", "en"),)),
        Label("dog", (("dog", "en"),), ("animal",)),
        Label("husky", (("husky", "en"),), ("dog",)),
        Label("wolf", (("wolf", "en"),), ("animal",)),
        Label("sled", (("sled", "en"),)),
    ]
)


def test_the_most_frequent_twos_come_first_with_the_lowest_right_label():
    wrong = [("1", "wolf"), ("2", "wolf"), ("3", "sled"), ("4", "sled")]
    right = [(image, label) for image in "12" for label in ("animal", "dog", "husky")]
    right += [("3", "wolf")]
    assert find_confusions(wrong, right, TAXONOMY) == [
        {"wrong": "wolf", "right": "husky", "n_images": 2, "image_ids": ["1", "2"]},
        {"wrong": "sled", "right": "wolf", "n_images": 1, "image_ids": ["3"]},
    ]
    assert len(find_confusions(wrong, right, TAXONOMY, n=1)) == 1


def test_labels_above_and_below_the_wrong_one_are_not_confused_with_it():
    wrong = [("1", "husky"), ("2", "dog"), ("3", "dog")]
    right = [("1", "dog"), ("1", "animal"), ("2", "husky"), ("3", "sled")]
    (row,) = find_confusions(wrong, right, TAXONOMY)
    assert (row["wrong"], row["right"]) == ("dog", "sled")
