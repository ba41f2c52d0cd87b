from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.model.architecture import Architecture
from training.model.model_file import ModelCard, save_model
from training.model.resnet import ResNet

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """Write a tiny model with random weights, for images of 24 pixels."""
    folder = tmp_path / "model"
    folder.mkdir()
    architecture = Architecture(18, width=8, stem="small")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet(architecture, 3)
    card = ModelCard(architecture, ("a", "b", "c"), 24, MEAN, STD, 0, {})
    save_model(folder, network.state_dict(), card)
    return folder
