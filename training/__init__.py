"""What the data is worth: a ResNet trained on shards and evaluated on held-out images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.checkpoint import ModelCard as ModelCard
    from training.checkpoint import load_model as load_model
    from training.checkpoint import save_model as save_model
    from training.loader import Batch as Batch
    from training.loader import normalise as normalise
    from training.resnet import Architecture as Architecture
    from training.resnet import ResNet as ResNet
    from training.samples import labels_in_shards as labels_in_shards
    from training.samples import training_batches as training_batches
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "training.checkpoint": "ModelCard load_model save_model",
            "training.loader": "Batch normalise",
            "training.resnet": "Architecture ResNet",
            "training.samples": "labels_in_shards training_batches",
        },
    )
