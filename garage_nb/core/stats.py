"""The statistics of a tensor of activations: their definitions, and one reduction that computes them where it lies.

All of them treat the tensor as rows of tokens, (tokens, dim), padding left out; sums run in float64.

=================== ======================================================================================
mean, std, min, max over all entries (std of the population, as NumPy's default)
norm                Euclidean length of a token's vector, mean over tokens
sparsity            share of entries with |x| <= tau · std of this tensor; tau is 0.1 unless said otherwise
exact_zeros         share of entries that are exactly 0
entropy             of a token's energy over the dimensions, p_d = x_d² / sum x²; in nats, 0 (one dimension
                    holds it all) to ln(dim) (spread evenly); mean over tokens
kurtosis            fourth central moment over the squared variance; 3 for a normal distribution
effective_dimension participation ratio (sum lambda)² / sum lambda² of the covariance of the tokens: how many
                    directions the tokens really use; NaN for a single token or equal ones
non_finite          number of NaN and infinite entries
=================== ======================================================================================

A constant tensor has std 0; its kurtosis is NaN and its sparsity 1 only where it is 0 itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import HookError

TAU = 0.1


@dataclass(frozen=True)
class Statistics:
    """One tensor in eleven numbers; the module's text defines each."""

    mean: float
    std: float
    min: float
    max: float
    norm: float
    sparsity: float
    exact_zeros: float
    entropy: float
    kurtosis: float
    effective_dimension: float
    non_finite: int

    @classmethod
    def from_row(cls, row: list[float]) -> Statistics:
        numbers = dict(zip(NAMES, row, strict=True))
        return cls(**{**numbers, "non_finite": int(numbers["non_finite"])})  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


NAMES = tuple(field.name for field in fields(Statistics))


def rows_of(hidden: Tensor, mask: Int[Tensor, "batch seq"] | None = None) -> Float[Tensor, "tokens dim"]:
    """Flatten (…, dim) to rows and leave out those of padding.

    With a mask, `hidden` is (batch, seq, …, dim), (1, seq, …, dim) for what all texts share, or (batch · seq, dim);
    HookError for any other shape, in which padding cannot be told from tokens.
    """
    if mask is None:
        return hidden.reshape(-1, hidden.shape[-1])
    batch, seq = mask.shape
    shared = hidden.expand(batch, *hidden.shape[1:]) if hidden.shape[:2] == (1, seq) else hidden
    if shared.shape[:2] != (batch, seq) and shared.shape[:-1] != (batch * seq,):
        raise HookError(
            f"Padding cannot be found in {tuple(hidden.shape)} for prompts of {batch} x {seq} tokens.",
            "Read this place with one prompt at a time.",
        )
    real = mask.reshape(-1).nonzero()[:, 0].to(hidden.device)
    tokens = shared.reshape(batch * seq, -1, hidden.shape[-1])
    return tokens.index_select(0, real).flatten(0, 1)


def reduce(rows: Float[Tensor, "tokens dim"], tau: float = TAU) -> Float[Tensor, " statistics"]:
    """The numbers of NAMES, in that order, as one tensor on the device of `rows`."""
    x = rows.detach().to(_wide(rows.device))
    square = x.square()
    energy = square.sum(dim=1)
    low, high = x.aminmax()
    mean = torch.where(low == high, low, x.mean())  # rounding must not give a constant a spread
    deviation = (x - mean).square()
    variance = deviation.mean()
    std = variance.sqrt()
    return torch.stack(
        [
            mean,
            std,
            low,
            high,
            energy.sqrt().mean(),
            (x.abs() <= tau * std).to(x.dtype).mean(),
            (x == 0).to(x.dtype).mean(),
            token_entropy(square, energy).mean(),
            deviation.square().mean() / variance.square(),
            effective_dimension(x),
            (~x.isfinite()).sum().to(x.dtype),
        ]
    )


def effective_dimension(x: Float[Tensor, "tokens dim"]) -> Float[Tensor, ""]:
    shifted = x - x[0]  # equal tokens become exactly 0
    centred = shifted - shifted.mean(dim=0)
    smaller = centred @ centred.T if x.shape[0] <= x.shape[1] else centred.T @ centred
    return smaller.trace().square() / smaller.square().sum()


def token_entropy(square: Float[Tensor, "tokens dim"], energy: Float[Tensor, " tokens"]) -> Float[Tensor, " tokens"]:
    """ln(sum e) - sum(e ln e) / sum e, token by token; a token without energy has entropy 0."""
    safe = torch.where(energy == 0, torch.ones_like(energy), energy)
    return safe.log() - torch.special.xlogy(square, square).sum(dim=1) / safe


def _wide(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # that device has no float64
