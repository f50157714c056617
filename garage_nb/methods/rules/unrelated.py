"""Unrelated: within groups of arms, those that have more of one thing have neither more nor less of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...analyze.ranks import ranks
from ...errors import InputError
from ..measure import Measure
from ..outcomes import Outcomes
from ..statistics.paired import paired
from .hurdle import Hurdle, Stays
from .rule import Rule

_SAME = 1e-12


@dataclass(frozen=True, kw_only=True)
class Unrelated(Rule):
    """On every item Spearman's correlation over the arms of a group; its mean over items must be shown to be within the
    margin of 0, in every group. The arms are taken as they are, the items as drawn. An item of whose arms all have as
    much of one of the two counts 0.
    """

    groups: tuple[tuple[str, tuple[str, ...]], ...]
    by: Measure
    measure: Measure
    margin: float

    def __post_init__(self) -> None:
        if few := [name for name, arms in self.groups if len(arms) < 2]:
            raise InputError(f"{few[0]} has no two arms to be put in order.", "Name two or more.")
        if not self.groups:
            raise InputError("There are no arms to be put in order.", "Name a group of two or more.")

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm for _, arms in self.groups for arm in arms)

    @property
    def said(self) -> str:
        of, among = f"{self.by.defined} and {self.measure.defined}", ", ".join(name for name, _ in self.groups)
        return f"Spearman's correlation on every item of {of}, over the arms of {among}; its mean must stay near 0"

    def hurdles(self, outcomes: Outcomes, places: Sequence[int], seed: int) -> tuple[Hurdle, ...]:
        x, y = (outcomes.of_measure(one)[:, :, list(places)] for one in (self.by, self.measure))
        rows = [[outcomes.arms.index(arm) for arm in arms] for _, arms in self.groups]
        values = torch.stack([_correlations(x[:, mine], y[:, mine]) for mine in rows])  # (groups, seeds, items)
        said = [f"rank correlation of {self.by.name} and {self.measure.name} in {name}" for name, _ in self.groups]
        found = paired(values, said, [0.0] * len(said), seed=seed)
        return tuple(Stays(one, self.margin) for one in found)


def _correlations(x: Float[Tensor, "seeds arms items"], y: Float[Tensor, "seeds arms items"]) -> Tensor:
    """Over arms, (seeds, items)."""
    a, b = (ranks(one.movedim(1, -1)) - (one.shape[1] + 1) / 2 for one in (x, y))
    product = (a * b).sum(-1)
    lengths: Tensor = a.norm(dim=-1) * b.norm(dim=-1)
    return torch.where(lengths > _SAME, product / lengths.clamp(min=_SAME), 0.0)
