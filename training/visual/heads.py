"""A linear classifier of frozen features, fitted to the probabilities of many labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import softplus

from labeling.keys.arrays import Floats32, Ints

PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)
"""Penalties that `fit_head` chooses among, the largest first: each fit begins at the last one."""

MAX_STEPS = 60
CHUNK = 1 << 24
"""Logits that are computed at a time."""


@dataclass(frozen=True, eq=False)
class Head:
    """Weights ``float32[d, n_labels]`` and biases ``float32[n_labels]`` of a linear classifier."""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of features ``float32[n, d]``: ``float32[n, n_labels]``."""
        return features @ self.weight + self.bias


def standardise(features: Floats32) -> Floats32:
    """Return features with mean 0 and deviation 1 in each column, and rows of one length.

    The length is the square root of the number of columns. No label has a part in it.
    """
    centred = features - features.mean(axis=0)
    scaled = centred / (features.std(axis=0) + 1e-6)
    length = np.linalg.norm(scaled, axis=1, keepdims=True) + 1e-6
    result: Floats32 = scaled * np.float32(np.sqrt(features.shape[1])) / length
    return result


def fit_head(features: Tensor, targets: csr_array, rows: Sequence[Ints]) -> tuple[Head, float]:
    """Fit a logistic regression with a ridge to each label.

    The penalty is that of `PENALTIES` which predicts the last part of the images best from the
    others.

    Parameters
    ----------
    features
        ``float32[n, d]``, as `standardise` returns them.
    targets
        ``float32[n, n_labels]``: probability that the image shows the label; 0 where it is not
        stored.
    rows
        Images to fit on in two parts or more, none of which shares pages or bytes with another.

    Returns
    -------
    head, penalty
        The classifier of all these images; weight of the squared coefficients against the mean
        loss of an image, in nats.
    """
    penalty = _best_penalty(features, targets, np.concatenate(rows[:-1]), rows[-1])
    problem = _Problem.of(features, targets, np.concatenate(rows))
    return problem.fit(penalty, problem.start()), penalty


def _best_penalty(features: Tensor, targets: csr_array, inside: Ints, outside: Ints) -> float:
    problem = _Problem.of(features, targets, inside)
    held_out = _Problem.of(features, targets, outside)
    head, losses = problem.start(), []
    for penalty in PENALTIES:
        head = problem.fit(penalty, head)
        losses.append(held_out.loss(head))
    return PENALTIES[int(np.argmin(losses))]


def blank_step(n: int, d: int, n_labels: int, device: torch.device) -> Callable[[], Tensor]:
    """Return a function that computes what `fit_head` does in a step, on `n` blank images."""
    weight, rate = torch.zeros((d, n_labels), device=device), torch.zeros(n_labels, device=device)
    problem = _Problem(torch.zeros((n, d), device=device), weight, rate)
    return lambda: problem.gradient(weight, rate, 1.0)[1]


@dataclass(frozen=True, eq=False)
class _Problem:
    """Images with their targets.

    Attributes
    ----------
    features
        ``float32[n, d]``.
    correlation
        ``float32[d, n_labels]``: sum over the images of feature times target, by the image.
    rate
        ``float32[n_labels]``: mean target.
    """

    features: Tensor
    correlation: Tensor
    rate: Tensor

    @classmethod
    def of(cls, features: Tensor, targets: csr_array, rows: Ints) -> _Problem:
        x = features[torch.from_numpy(rows)]
        y = targets[rows]
        products = y.T @ x.cpu().numpy() / max(len(rows), 1)
        rate = np.asarray(y.sum(axis=0), np.float32).ravel() / max(len(rows), 1)
        correlation = torch.from_numpy(np.ascontiguousarray(products.T)).to(x)
        return cls(x, correlation, torch.from_numpy(rate).to(x))

    def start(self) -> Head:
        """Return the classifier that knows the rates alone."""
        n = len(self.features)
        rate = (self.rate * n + 0.5) / (n + 1)
        return Head(torch.zeros_like(self.correlation), torch.logit(rate))

    def fit(self, penalty: float, start: Head) -> Head:
        """Return the classifier of least loss, by L-BFGS."""
        weight, bias = start.weight.clone(), start.bias.clone()
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=MAX_STEPS, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            loss, weight.grad, bias.grad = self.gradient(weight, bias, penalty)
            return loss

        with torch.no_grad():
            optimizer.step(closure)  # type: ignore[no-untyped-call]
        return Head(weight, bias)

    def loss(self, head: Head) -> float:
        """Return the mean loss of an image, in nats, without a penalty."""
        return self.gradient(head.weight, head.bias, 0.0)[0]

    def gradient(
        self, weight: Tensor, bias: Tensor, penalty: float
    ) -> tuple[float, Tensor, Tensor]:
        """Return loss and gradient: those of the targets are the same at each step."""
        n = max(len(self.features), 1)
        of_weight = 2 * penalty * weight - self.correlation
        of_bias = -self.rate.clone()
        loss = penalty * (weight**2).sum() - (weight * self.correlation).sum() - bias @ self.rate
        for x in torch.split(self.features, max(1, CHUNK // max(len(bias), 1))):
            logits = torch.addmm(bias, x, weight)
            loss += softplus(logits).sum() / n
            p = logits.sigmoid_()
            of_weight.addmm_(x.T, p, alpha=1 / n)
            of_bias += p.sum(dim=0) / n
        return float(loss), of_weight, of_bias
