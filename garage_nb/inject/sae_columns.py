"""Columns: some of the features of a sparse autoencoder, and the arithmetic of every architecture.

========  ====================================================================================================
standard  relu(x·W + b)
jumprelu  relu(x·W + b) where x·W + b > threshold (Rajamanoharan et al., "Jumping Ahead", 2024)
topk      relu of the k largest of x·W + b, at every token (Gao et al., "Scaling and evaluating SAEs", 2024)
gated     relu(x·W·exp(gain) + gain_bias) where x·W + b > 0 (Rajamanoharan et al., "Gated SAEs", 2024)
========  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5  # of SAELens' layer_norm; it is added to the standard deviation on the way in alone


@dataclass(frozen=True)
class Columns:
    """`k` is 0 but for topk, whose columns are all there are."""

    encoder: Float[Tensor, "dim features"]
    bias: Float[Tensor, " features"]
    decoder: Float[Tensor, "features dim"]
    threshold: Float[Tensor, " features"] | None = None
    gain: Float[Tensor, " features"] | None = None
    gain_bias: Float[Tensor, " features"] | None = None
    k: int = 0

    def active(self, read: Float[Tensor, "*tokens dim"]) -> Float[Tensor, "*tokens features"]:
        drive = read @ self.encoder
        before = drive + self.bias
        if self.gain is not None and self.gain_bias is not None:
            return (drive * self.gain.exp() + self.gain_bias).relu() * (before > 0)
        if self.k:
            largest = before.topk(self.k)
            return torch.zeros_like(before).scatter(-1, largest.indices, largest.values.relu())
        return before.relu() if self.threshold is None else before.relu() * (before > self.threshold)


@dataclass(frozen=True)
class Reading:
    """Hidden states as the autoencoder reads them; what it writes counts `scale` times, and stands on `mean`."""

    read: Tensor
    scale: Tensor
    mean: Tensor


def _plain(hidden: Tensor) -> Reading:
    return Reading(hidden, hidden.new_ones(()), hidden.new_zeros(()))


def _mean_off(hidden: Tensor) -> Reading:
    mean = hidden.mean(dim=-1, keepdim=True)
    return Reading(hidden - mean, hidden.new_ones(()), mean)


def _one_norm(hidden: Tensor) -> Reading:
    """Every token as long as √dim."""
    scale = hidden.norm(dim=-1, keepdim=True) / hidden.shape[-1] ** 0.5
    return Reading(hidden / scale.clamp(min=torch.finfo(hidden.dtype).tiny), scale, hidden.new_zeros(()))


def _layer_norm(hidden: Tensor) -> Reading:
    mean = hidden.mean(dim=-1, keepdim=True)
    scale = (hidden - mean).std(dim=-1, keepdim=True)
    return Reading((hidden - mean) / (scale + EPSILON), scale, mean)


NORMS: dict[str, Callable[[Tensor], Reading]] = {
    "none": _plain,
    "mean_off": _mean_off,
    "constant_norm_rescale": _one_norm,
    "layer_norm": _layer_norm,
}
