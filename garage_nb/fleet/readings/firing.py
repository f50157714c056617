"""Firing: how often each neuron of some places is loud, as analyze/neurons/firing.py has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ...analyze.neurons.firing import THRESHOLD, fires
from .kinds import Count
from .reading import Finish, Passage, Reading


@dataclass(frozen=True)
class Firing(Reading):
    """`layers` are places of neurons. A place leaves `PLACE fired`, Count (neurons,) of tokens at which each fires, and
    `PLACE heard`, Count () of the tokens that were looked at: those that are finite.
    """

    layers: tuple[str, ...]
    threshold: float = THRESHOLD

    def begin(self, passage: Passage) -> Finish:
        fired: dict[str, Tensor] = {}
        for place in self.layers:
            passage.each_token(place, partial(self._count, fired, place))
        return lambda: {name: Count.of(counts) for name, counts in fired.items()}

    def _count(self, fired: dict[str, Tensor], place: str, rows: Tensor) -> None:
        fine = rows.detach().isfinite().all(1)
        loud = fires(rows.detach(), self.threshold) & fine[:, None]
        fired |= {f"{place} fired": loud.sum(0), f"{place} heard": fine.sum()}
