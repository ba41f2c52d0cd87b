from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InputError
from tests.training.drawings import LABELS, draw
from training.data.decode import decode
from training.data.loader import normalise
from training.data.shard_index import open_shards
from training.evaluation import evaluate as module
from training.evaluation.evaluate import by_frequency, evaluate
from training.evaluation.predict import predict
from training.fit.config import TrainConfig
from training.fit.train import train
from training.model.model_file import load_model

CONFIG = TrainConfig(
    depth=18, width=8, stem="small", image_size=16, steps=2, batch_size=8, threads=1
)
TEST = [draw(number) for number in range(100, 110)]
KEYS = [drawing.image_id for drawing in TEST]


@pytest.fixture
def model_dir(write_shard, tmp_path: Path) -> Path:
    shard = write_shard([draw(number) for number in range(6)], "train.tar")
    train(open_shards([shard]), LABELS, CONFIG, tmp_path, lambda *_: None)
    return tmp_path


@pytest.fixture
def shard(write_shard) -> Path:
    return write_shard(TEST, "test.tar")


def measured(monkeypatch, tmp_path: Path, probabilities, truth) -> dict[str, float]:
    answer = (KEYS[: len(probabilities)], np.array(probabilities, np.float32))
    monkeypatch.setattr(module, "predict", lambda *_: answer)
    return dict(evaluate(tmp_path, [], truth))


def test_a_model_that_chooses_one_label_shares_one_probability(
    write_shard, shard: Path, tmp_path: Path
) -> None:
    images = open_shards([write_shard([draw(number) for number in range(6)], "train.tar")])
    config = CONFIG.model_copy(update={"loss": "softmax"})
    train(images, LABELS, config, tmp_path, lambda *_: None)
    _, probabilities = predict(tmp_path, [shard])
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)


def test_predictions_are_those_of_the_network_whatever_the_batches(
    model_dir: Path, shard: Path
) -> None:
    keys, probabilities = predict(model_dir, [shard])
    network, _ = load_model(model_dir)
    pixels = torch.from_numpy(np.stack([decode(drawing.jpeg, 16) for drawing in TEST]))
    with torch.inference_mode():
        expected = network(normalise(pixels)).sigmoid().numpy()
    assert keys == KEYS
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities, expected, atol=1e-6)
    assert np.allclose(predict(model_dir, [shard], batch_size=3)[1], probabilities, atol=1e-5)


def test_measures_by_hand(model_dir: Path, monkeypatch) -> None:
    # Columns: blue, disc, green, red, square. The fourth image has no truth.
    probabilities = [
        [0.9, 0.2, 0.1, 0.0, 0.3],
        [0.8, 0.1, 0.1, 0.7, 0.2],
        [0.1, 0.9, 0.1, 0.2, 0.1],
        [0.5, 0.5, 0.5, 0.5, 0.5],
    ]
    truth = {KEYS[0]: {"disc"}, KEYS[1]: {"blue", "teal"}, KEYS[2]: {"disc"}, "elsewhere": {"red"}}
    measures = measured(monkeypatch, model_dir, probabilities, truth)
    assert measures == {
        "map": pytest.approx((1.0 + 0.5) / 2),  # disc is ranked first, blue second
        "precision_at_1": pytest.approx(2 / 3),
        "precision_at_5": pytest.approx(3 / 15),
        "n_images": 3,
        "n_labels": 2,
        "n_labels_unknown": 1,
    }


def test_groups_are_averaged_apart(model_dir: Path, monkeypatch) -> None:
    probabilities = np.eye(3, 5) * 0.5 + 0.1
    truth = {KEYS[0]: {"blue"}, KEYS[1]: {"disc"}, KEYS[2]: {"blue", "green"}}
    answer = (KEYS[:3], probabilities.astype(np.float32))
    monkeypatch.setattr(module, "predict", lambda *_: answer)
    groups = {"colours": ["blue", "green", "red"], "shapes": ["disc"], "none": ["square"]}
    measures = dict(evaluate(model_dir, [], truth, groups))
    assert measures["map_colours"] == pytest.approx((5 / 6 + 1) / 2)
    assert (measures["map_shapes"], measures["n_labels_colours"], measures["n_labels_shapes"]) == (
        1,
        2,
        1,
    )
    assert "map_none" not in measures


@given(st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 9)))
def test_thirds_by_frequency_hold_every_label_once_in_order(n_train: dict[str, int]) -> None:
    thirds = by_frequency(n_train)
    ranked = [label for name in ("head", "middle", "tail") for label in thirds[name]]
    assert sorted(ranked) == sorted(n_train)
    assert [n_train[label] for label in ranked] == sorted(n_train.values(), reverse=True)
    sizes = [len(labels) for labels in thirds.values()]
    assert max(sizes) - min(sizes) <= 1


def test_a_trained_model_beats_chance(write_shard, tmp_path: Path, shard: Path) -> None:
    train_shard = write_shard([draw(number) for number in range(60)], "train.tar")
    config = CONFIG.model_copy(update={"steps": 40, "batch_size": 16})
    train(open_shards([train_shard]), LABELS, config, tmp_path, lambda *_: None)
    truth = {drawing.image_id: drawing.shows for drawing in TEST}
    assert dict(evaluate(tmp_path, [shard], truth))["map"] > 0.8


def test_nothing_to_measure_is_refused(model_dir: Path, shard: Path) -> None:
    same = {key: ["red"] for key in KEYS}
    for truth in ({}, same, {key: ["unheard of"] for key in KEYS}):
        with pytest.raises(InputError, match="cannot be measured") as error:
            list(evaluate(model_dir, [shard], truth))
        assert error.value.help
