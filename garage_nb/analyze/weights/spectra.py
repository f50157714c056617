"""Spectra: what one weight is in numbers, worked out in float64 where it lies, without running the model.

============== ===============================================================================================
norm           Frobenius, the root of the sum of all squares
spectral       the largest singular value σ₁: how much longer the matrix can make a vector
stable_rank    ‖W‖² / σ₁², 1 to the rank (Rudelson and Vershynin 2007)
effective_rank exp of the entropy of σ / Σσ, 1 to the rank (Roy and Vetterli 2007)
mean, std      of all entries, std of the population
sparsity       share of entries with |w| <= tau · std, as for activations
exact_zeros    share of entries that are exactly 0
============== ===============================================================================================

A vector (a bias, the weight of a norm) has no singular values: three of the numbers are NaN. So are they of zeros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.stats import Reduction, wide
from ...errors import NotFiniteError

MEASURES = ("norm", "spectral", "stable_rank", "effective_rank", "mean", "std", "sparsity", "exact_zeros")


@dataclass(frozen=True, eq=False)
class Spectrum:
    """`singular` are the singular values, the largest first, on the host; none of a vector."""

    shape: tuple[int, ...]
    singular: Float[Tensor, " rank"]
    norm: float
    mean: float
    std: float
    sparsity: float
    exact_zeros: float

    @property
    def spectral(self) -> float:
        return float(self.singular[0]) if len(self.singular) else math.nan

    @property
    def stable_rank(self) -> float:
        return (self.norm / self.spectral) ** 2 if self.spectral else math.nan

    @property
    def effective_rank(self) -> float:
        if not self.spectral > 0:
            return math.nan
        share = self.singular / self.singular.sum()
        return float(torch.special.entr(share).sum().exp())


def spectrum(weight: Tensor, tau: float, name: str) -> Spectrum:
    """Of a vector (n,) or a matrix (m, n) as it is stored. NotFiniteError for NaN and infinity."""
    values = weight.detach().to(wide(weight.device))
    if not bool(values.isfinite().all()):
        raise NotFiniteError(f"{name} holds NaN or infinity.", "Load the model again; these weights are damaged.")
    told = Reduction(values.reshape(1, -1), tau)
    numbers = [told.norm, told.mean, told.std, told.sparsity, told.exact_zeros]
    norm, mean, std, sparsity, zeros = torch.stack(numbers).tolist()
    singular = torch.linalg.svdvals(values).cpu() if values.ndim == 2 else torch.empty(0, dtype=values.dtype)
    return Spectrum(tuple(weight.shape), singular, norm, mean, std, sparsity, zeros)
