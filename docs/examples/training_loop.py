"""A training loop of your own on the shards that `winnow export` wrote.

Run it with `python docs/examples/training_loop.py SHARDS`, the folder that `winnow export` prints.
"""

from __future__ import annotations

import sys

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from training import Architecture, ResNet, labels_in_shards, normalise, training_batches

STEPS, SIZE = 20, 32

shards = sys.argv[1]
labels = labels_in_shards(shards)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

torch.manual_seed(0)
network = ResNet(Architecture(depth=18, width=8, stem="small"), len(labels)).to(device)
optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)

for step, batch in enumerate(
    training_batches(shards, labels, steps=STEPS, image_size=SIZE, batch_size=32)
):
    # Targets are probabilities; a label that may or may not be right has weight 0.
    target, weight = batch.dense(len(labels), device)
    logits = network(normalise(batch.pixels.to(device)))
    loss = binary_cross_entropy_with_logits(logits, target, weight)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 0 or step == STEPS - 1:
        print(f"step {step}: loss {loss.item():.3f}")
