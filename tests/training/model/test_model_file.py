from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch

from labeling.errors import InputError, IntegrityError
from training.model.architecture import Architecture
from training.model.model_file import ModelCard, load_model, read_card, save_model
from training.model.resnet import ResNet

CARD = ModelCard(
    architecture=Architecture(18, width=8, stem="small"),
    label_ids=("blue", "red"),
    image_size=16,
    mean=(0.5, 0.4, 0.3),
    std=(0.2, 0.2, 0.2),
    step=7,
    training={"seed": 3},
)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = ResNet(CARD.architecture, 2).to(memory_format=torch.channels_last)
    save_model(tmp_path, network.state_dict(), CARD)
    return tmp_path


def edit_card(model_dir: Path, **changes: object) -> None:
    facts = json.loads((model_dir / "model.json").read_text())
    (model_dir / "model.json").write_text(json.dumps({**facts, **changes}))


def test_a_model_is_read_as_it_was_written(model_dir: Path) -> None:
    torch.manual_seed(0)
    written = ResNet(CARD.architecture, 2).state_dict()
    network, card = load_model(model_dir)
    weights = network.state_dict()
    assert list(weights) == list(written)
    assert all(torch.equal(weights[name], written[name]) for name in written)
    assert not network.training
    digest = hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()
    assert card.weights_sha256 == digest
    assert (card.architecture, card.label_ids, card.mean, card.std, card.step) == (
        *(CARD.architecture, CARD.label_ids, CARD.mean, CARD.std, CARD.step),
    )
    assert card.training == {"seed": 3}


def test_reading_leaves_the_global_generator_alone(model_dir: Path) -> None:
    before = torch.get_rng_state()
    load_model(model_dir)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_model_gives_the_same_bytes(model_dir: Path, tmp_path: Path) -> None:
    first = [(model_dir / name).read_bytes() for name in ("model.safetensors", "model.json")]
    network, card = load_model(model_dir)
    save_model(tmp_path, network.state_dict(), card)
    assert [(tmp_path / n).read_bytes() for n in ("model.safetensors", "model.json")] == first


@pytest.mark.parametrize("length", [0, 100, -1])
def test_cut_weights_are_refused_by_name(model_dir: Path, length: int) -> None:
    path = model_dir / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(IntegrityError) as error:
        load_model(model_dir)
    assert error.value.facts["file"] == path


def test_pickled_weights_are_never_opened(model_dir: Path) -> None:
    data = pickle.dumps({"conv1.weight": 0})
    (model_dir / "model.safetensors").write_bytes(data)
    edit_card(model_dir, weights_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(InputError, match="do not fit"):
        load_model(model_dir)


def test_weights_of_another_network_are_refused(model_dir: Path) -> None:
    edit_card(model_dir, label_ids=["blue"])
    with pytest.raises(InputError, match="do not fit"):
        load_model(model_dir)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "another"},
        {"architecture": {"depth": 19}},
        {"architecture": "resnet18"},
        {"label_ids": None},
        {"unheard_of": 1},
    ],
)
def test_foreign_cards_are_refused_by_name(model_dir: Path, changes: dict[str, object]) -> None:
    edit_card(model_dir, **changes)
    with pytest.raises(InputError, match="not the card") as error:
        read_card(model_dir)
    assert error.value.facts["file"] == model_dir / "model.json"


@pytest.mark.parametrize("text", ["", "[]", '{"format": "winnow-model-1"', "\x00"])
def test_damaged_cards_are_refused_by_name(model_dir: Path, text: str) -> None:
    (model_dir / "model.json").write_text(text)
    with pytest.raises(InputError, match="not the card"):
        load_model(model_dir)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_an_absent_file_is_named(model_dir: Path, name: str) -> None:
    (model_dir / name).unlink()
    with pytest.raises(InputError) as error:
        load_model(model_dir)
    assert error.value.facts["file"] == model_dir / name
