from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from labeling.errors import InputError
from tests.training.drawings import LABELS, Drawing, draw, write_tar
from training.data.shard_index import open_shards
from training.data.targets import read_targets


def with_facts(drawing: Drawing, **facts: object) -> Drawing:
    return dataclasses.replace(drawing, facts={**drawing.facts, **facts})


def test_kept_and_implied_labels_are_soft_positives_and_unknown_ones_weigh_nothing(
    write_shard,
) -> None:
    labels = [
        {"label_id": "blue", "p_correct": 0.75, "implied": False},
        {"label_id": "square", "p_correct": 0.5, "implied": True},
        {"label_id": "a label that is not trained on", "p_correct": 1.0},
    ]
    first = with_facts(draw(0), labels=labels, unknown=["disc", "another such label"])
    second = with_facts(draw(1), labels=[], unknown=[])
    third = with_facts(draw(2), labels=labels[:1], unknown=["blue"])
    targets = read_targets(open_shards([write_shard([first, second, third])]), LABELS)
    # LABELS: blue, disc, green, red, square
    entry, row = targets.entries(np.array([1, 0, 2]))
    entries = np.stack([row, *(c[entry] for c in (targets.codes, targets.target, targets.weight))])
    assert sorted(map(tuple, entries.T.tolist())) == [
        (1, 0, 0.75, 1),
        (1, 1, 0, 0),
        (1, 4, 0.5, 1),
        (2, 0, 0.75, 1),
    ]
    assert targets.n_shown().tolist() == [1.5, 0, 0, 0, 0.5]
    assert targets.n_labels == 5


def broken_samples() -> dict[str, dict[str, bytes]]:
    drawing = draw(0)
    key = drawing.image_id
    labels = [{"label_id": "red", "p_correct": float("nan")}]
    return {
        "cut": {**drawing.members, f"{key}.json": b'{"image_id": '},
        "list": {**drawing.members, f"{key}.json": b"[]"},
        "no labels": {**drawing.members, f"{key}.json": json.dumps({"image_id": key}).encode()},
        "labels are texts": with_facts(drawing, labels=["red"]).members,
        "NaN": with_facts(drawing, labels=labels).members,
        "other image": with_facts(drawing, image_id=draw(1).image_id).members,
    }


@pytest.mark.parametrize("fault", broken_samples())
def test_unusable_json_is_refused_by_shard_and_key(fault: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "bad.tar", {**draw(2).members, **broken_samples()[fault]})
    shards = open_shards([path])
    with pytest.raises(InputError) as error:
        read_targets(shards, LABELS)
    assert error.value.facts["shard"] == path
    assert draw(0).image_id in str(error.value.facts["key"])
