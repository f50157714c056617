"""Ablate: what a place says is replaced by something that says nothing about this prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..core.seed import seeded
from ..core.sites import Writer, everywhere
from ..errors import EditError
from .edit import OPTION, Edit, said
from .edits import demand_width
from .place import Place
from .sources import rows_in

HOWS = ("zero", "mean", "resample")


@dataclass(frozen=True, eq=False)
class Ablate(Edit):
    """Put in place of the hidden states

    ========  =======================================================================
    zero      zeros
    mean      the mean over the tokens of a reference: what the place says on average
    resample  for every token a token of the reference, drawn by `seed`
    ========  =======================================================================

    `reference` is a tensor (tokens, dim), for a mean also the mean itself (dim,), or a snapshot with hidden states;
    `rows_at` reads one off many prompts. A mean is taken in float64.
    """

    how: str = "zero"
    reference: Any = field(default=None, metadata=OPTION)
    seed: int = field(default=0, metadata=OPTION)

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise EditError(f"There is no ablation {said(self.how)}.", f"There are: {', '.join(HOWS)}.")
        if (self.reference is None) != (self.how == "zero"):
            needs = "needs no reference" if self.how == "zero" else "needs a reference"
            raise EditError(f"The ablation {self.how} {needs}.", "Zero has none; mean and resample take one.")
        seeded(self.seed)
        if self.how != "zero":
            self._set("reference", _reference(self.how, rows_in(self.reference)))
        super().__post_init__()

    def writer(self, place: Place) -> Writer:
        if self.how == "zero":
            return everywhere(torch.zeros_like)
        demand_width(self.reference, place)
        if self.how == "mean":
            return everywhere(lambda hidden: self.reference.to(hidden).expand_as(hidden))
        generator = seeded(self.seed)
        return everywhere(lambda hidden: _drawn(self.reference, hidden, generator))


def _reference(how: str, rows: Tensor) -> Tensor:
    return rows.detach().cpu().double().mean(dim=0).to(rows.dtype) if how == "mean" else rows


def _drawn(rows: Tensor, hidden: Tensor, generator: torch.Generator) -> Tensor:
    """One row for each token."""
    places = torch.randint(len(rows), hidden.shape[:-1], generator=generator)
    return rows.to(hidden)[places.to(hidden.device)]
