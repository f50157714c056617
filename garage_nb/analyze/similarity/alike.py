"""Alike: how similar two sets of rows are, token beside token, in float64 on the host.

======== ====================================================================================================
cosine   of the two vectors of a token, mean over tokens; only where both are of one width
CKA      linear centred kernel alignment, ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of columns centred over tokens (Kornblith et al.
         2019): 0 to 1, blind to rotation and scale, and for any two widths. With fewer tokens than dimensions it is
         biased upwards: two sets of noise are alike then.
step     ‖y − x‖ / ‖x‖ of a token, mean over tokens
growth   ‖y‖ / ‖x‖ of a token, mean over tokens
======== ====================================================================================================

Where a vector is 0 nothing is defined of its token, and the means are over the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor


class Rows:
    """(tokens, dim) of one place, and what is needed of them more than once."""

    def __init__(self, rows: Float[Tensor, "tokens dim"]) -> None:
        self.x = rows.detach().cpu().double()

    @property
    def tokens(self) -> int:
        return self.x.shape[0]

    @property
    def width(self) -> int:
        return self.x.shape[1]

    @cached_property
    def lengths(self) -> Float[Tensor, " tokens"]:
        lengths: Tensor = torch.linalg.vector_norm(self.x, dim=1)
        return lengths

    @cached_property
    def centred(self) -> Float[Tensor, "tokens dim"]:
        shifted = self.x - self.x[0]  # equal tokens become exactly 0
        return shifted - shifted.mean(0)

    @cached_property
    def spread(self) -> Tensor:
        """‖XᵀX‖, by the smaller of the two products that have this norm."""
        spread: Tensor = torch.linalg.matrix_norm(_product(self.centred, self.centred))
        return spread


def cosines(a: Rows, b: Rows) -> Float[Tensor, " tokens"]:
    """Token by token; NaN where a vector is 0, or the widths differ."""
    if a.width != b.width:
        return torch.full((a.tokens,), torch.nan, dtype=torch.float64)
    return ((a.x * b.x).sum(1) / (a.lengths * b.lengths)).clamp(-1, 1)


def steps(a: Rows, b: Rows) -> Float[Tensor, " tokens"]:
    if a.width != b.width:
        return torch.full((a.tokens,), torch.nan, dtype=torch.float64)
    moved: Tensor = torch.linalg.vector_norm(b.x - a.x, dim=1)
    return moved / _where_any(a.lengths)


def growths(a: Rows, b: Rows) -> Float[Tensor, " tokens"]:
    return b.lengths / _where_any(a.lengths)


def cka(a: Rows, b: Rows) -> float:
    """NaN where all tokens of one are equal."""
    few = a.tokens < a.width + b.width  # ‖YᵀX‖² is ⟨XXᵀ, YYᵀ⟩ too, and that is smaller then
    shared = (_gram(a) * _gram(b)).sum() if few else (a.centred.T @ b.centred).square().sum()
    return float((shared / (a.spread * b.spread)).clamp(max=1))


def mean(values: Tensor) -> float:
    return float(values.nanmean())


def table(a: Sequence[Rows], b: Sequence[Rows]) -> dict[str, list[list[float]]]:
    """Measure -> rows of `a` by columns of `b`."""
    return {
        "cosine": [[mean(cosines(one, other)) for other in b] for one in a],
        "cka": [[cka(one, other) for other in b] for one in a],
    }


def _where_any(lengths: Tensor) -> Tensor:
    return torch.where(lengths > 0, lengths, torch.nan)


def _product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T if a.shape[0] < a.shape[1] else a.T @ b


def _gram(rows: Rows) -> Float[Tensor, "tokens tokens"]:
    return rows.centred @ rows.centred.T
