from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.intervals.judgements import Judgements
from curation.report.labels import describe_labels, senses
from labeling.keys.ids import digest
from labeling.schemas import SELECTED
from labeling.taxonomy.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy(
    [
        Label("animal", (("animal", "en"),)),
        Label("bat", (("bat", "en"),), ("animal",)),
        Label("club", (("Bat", "en"), ("club", "en")), gloss="a stick"),
        Label("cricket", (("bat", "en"),)),
        Label("dog", (("dog", "en"),), ("animal",)),
    ]
)


def selected_of(rows):
    columns = zip(*rows, strict=True)
    names = ("label_id", "p_correct", "kept", "reason")
    table = dict(zip(names, map(list, columns), strict=True))
    table["image_id"] = [digest(str(i)) for i in range(len(rows))]
    return pa.table({name: table[name] for name in SELECTED.arrow.names}, SELECTED.arrow)


def test_a_name_of_several_labels_has_its_sense():
    assert dict(zip(TAXONOMY.label_ids, senses(TAXONOMY), strict=True)) == {
        "animal": "",
        "bat": "animal",
        "club": "a stick",
        "cricket": "cricket",
        "dog": "",
    }


def test_labels_have_the_precision_of_their_kept_images():
    rows = [("dog", 0.9, True, "kept")] * 4 + [("dog", 0.1, False, "below_threshold")]
    rows += [("bat", 0.5, True, "kept"), ("bat", 0.4, False, "over_per_label")]
    selected = selected_of(rows)
    judged = Judgements(
        np.array([0, 1, 4, 5]), np.array([True, False, False, True]), np.array([0.5, 1, 1, 1])
    )
    right = np.array([True, True, True, False, True, True, True])
    bat, dog = describe_labels(selected, judged, TAXONOMY, 0.95, right)
    assert (dog["n_candidates"], dog["n_kept"], dog["n_before_limit"]) == (5, 4, 4)
    assert (bat["n_candidates"], bat["n_kept"], bat["n_before_limit"]) == (2, 1, 2)
    assert dog["n_audits"] == 2
    assert dog["precision"] == pytest.approx(2 / 3)
    assert 0 <= dog["low"] < dog["precision"] < dog["high"] <= 1
    assert (dog["true_precision"], bat["true_precision"]) == (0.75, 1.0)
    assert dog["p_kept"] == pytest.approx(0.9)
    assert "true_precision" not in describe_labels(selected, judged, TAXONOMY, 0.95)[0]


def test_labels_without_kept_images_have_no_precision():
    selected = selected_of([("dog", 0.1, False, "below_threshold")])
    nothing = Judgements(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0))
    (dog,) = describe_labels(selected, nothing, TAXONOMY, 0.95, np.array([True]))
    assert (dog["p_kept"], dog["true_precision"], dog["n_audits"]) == (None, None, 0)
    assert np.isnan(dog["precision"])
