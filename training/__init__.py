"""Worth of the data: a ResNet trained on shards and evaluated on held-out images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.data.loader import Batch as Batch
    from training.data.loader import normalise as normalise
    from training.data.samples import labels_in_shards as labels_in_shards
    from training.data.samples import training_batches as training_batches
    from training.model.architecture import Architecture as Architecture
    from training.model.model_file import ModelCard as ModelCard
    from training.model.model_file import load_model as load_model
    from training.model.model_file import save_model as save_model
    from training.model.resnet import ResNet as ResNet
else:
    from labeling.exports import lazy_exports

    __all__, __getattr__, __dir__ = lazy_exports(__name__)
