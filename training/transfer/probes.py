"""What frozen features are worth: nearest neighbours and a linear classifier on top of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.model.model_file import ModelCard
from training.model.resnet import ResNet
from training.transfer.images import network_input

NEIGHBOURS = 20
TEMPERATURE = 0.07

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties that the linear probe chooses among."""

FOLDS = 5


def features_of(network: ResNet, card: ModelCard, pixels: Tensor, batch_size: int = 128) -> Tensor:
    """Return the features of images by a frozen network.

    Parameters
    ----------
    network, card
        The model, on the device that computes.
    pixels
        ``uint8[n, s, s, 3]``.

    Returns
    -------
    Tensor
        ``float64[n, d]`` on the CPU.
    """
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        return torch.cat(
            [
                network.features(network_input(part, card, device)).double().cpu()
                for part in torch.split(pixels, batch_size)
            ]
        )


def nearest(train: Tensor, classes: Tensor, test: Tensor, n_classes: int) -> Tensor:
    """Return the class that the nearest training images vote for, by the cosine of features.

    The `NEIGHBOURS` nearest vote with weight ``exp(cosine / TEMPERATURE)``, as in section 3.4 of
    Wu et al. 2018, "Unsupervised feature learning via non-parametric instance discrimination".

    Parameters
    ----------
    train, test
        ``float64[n, d]`` and ``float64[m, d]``.
    classes
        ``int64[n]``, from 0 to ``n_classes - 1``.

    Returns
    -------
    Tensor
        ``int64[m]``.

    Examples
    --------
    >>> train = torch.tensor([[1.0, 0], [0, 1], [0.1, 1]])
    >>> nearest(train, torch.tensor([0, 1, 1]), torch.tensor([[2.0, 0.1]]), 2)
    tensor([0])
    """
    cosine = F.normalize(test) @ F.normalize(train).T
    weight, neighbour = cosine.topk(min(NEIGHBOURS, len(train)))
    votes = cosine.new_zeros(len(test), n_classes)
    votes.scatter_add_(1, classes[neighbour], (weight / TEMPERATURE).exp())
    return votes.argmax(1)


def linear_probe(
    train: Tensor, classes: Tensor, test: Tensor, n_classes: int, seed: int = 0
) -> tuple[Tensor, float]:
    """Return the classes by logistic regression on standardised features, and its penalty.

    The penalty is the one of `PENALTIES` with the highest likelihood over `FOLDS` folds of the
    training images; the test images have no part in it.

    Parameters
    ----------
    train, test
        ``float64[n, d]`` and ``float64[m, d]``.
    classes
        ``int64[n]``, from 0 to ``n_classes - 1``.
    seed
        Of the folds.

    Returns
    -------
    classes
        ``int64[m]``.
    penalty
        Weight of half the squared norm of the coefficients against the mean loss in nats.
    """
    mean, std = train.mean(0), train.std(0, correction=0)
    std = torch.where(std > 0, std, 1)
    x, y = (train - mean) / std, (test - mean) / std
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    fold = torch.empty_like(order)
    fold[order] = torch.arange(len(x)) % min(FOLDS, len(x))
    losses = [0.0] * len(PENALTIES)
    for number in range(int(fold.max()) + 1):
        inside, outside = fold != number, fold == number
        for i, theta in enumerate(_path(x[inside], classes[inside], n_classes, PENALTIES)):
            loss = F.cross_entropy(_logits(theta, x[outside]), classes[outside], reduction="sum")
            losses[i] += loss.item()
    penalty = min(zip(losses, PENALTIES, strict=True))[1]
    theta = _path(x, classes, n_classes, [p for p in PENALTIES if p >= penalty])[0]
    return _logits(theta, y).argmax(1), penalty


def fit_logistic(x: Tensor, classes: Tensor, penalty: float, start: Tensor) -> Tensor:
    """Return the coefficients of a multinomial logistic regression, by L-BFGS.

    Parameters
    ----------
    x
        ``float64[n, d]``.
    classes
        ``int64[n]``.
    penalty
        Above 0; the intercepts have none.
    start
        ``float64[d + 1, n_classes]`` where to begin; the last row is the intercepts.

    Returns
    -------
    Tensor
        ``float64[d + 1, n_classes]``.
    """
    theta = start.clone().requires_grad_()
    solver = torch.optim.LBFGS(
        [theta], max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        solver.zero_grad()
        size = theta[:-1].square().sum()
        value = F.cross_entropy(_logits(theta, x), classes) + penalty / 2 * size
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    return theta.detach()


def _path(x: Tensor, classes: Tensor, n_classes: int, penalties: Sequence[float]) -> list[Tensor]:
    """Return the coefficients of each penalty, in rising order; each begins at the next one's."""
    theta = x.new_zeros(x.shape[1] + 1, n_classes)
    result = []
    for penalty in sorted(penalties, reverse=True):
        theta = fit_logistic(x, classes, penalty, theta)
        result.append(theta)
    return result[::-1]


def _logits(theta: Tensor, x: Tensor) -> Tensor:
    return x @ theta[:-1] + theta[-1]
