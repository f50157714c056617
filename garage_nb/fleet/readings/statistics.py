"""Statistics of every token at some places: their tallies, their distributions, and the sparsity at every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...core.stats import TAU
from ...core.tokenwise import EDGES, TokenStatistics
from .grid import counted
from .kinds import Count, Tally
from .levels import counted_levels
from .reading import Finish, Passage, Reading
from .record import Record

PIECE = 1 << 18  # entries of which everything stays in a processor's own memory


@dataclass(frozen=True, eq=False)
class Told:
    """Of one place: (tokens, names) with NaN for a token that is not finite, (levels,) entries, and () tokens."""

    values: Tensor
    levels: Tensor
    bad: Tensor


@dataclass(frozen=True)
class Statistics(Reading):
    """`names` are of core/tokenwise.py, each token by itself; sparsity is at `tau`. A place leaves

    ==================== ==========================================================================================
    PLACE values         Tally (names,) over tokens
    PLACE distributions  Count (names, bins) on the grid of grid.py: what quantiles are read off
    PLACE levels         Count (levels,) of entries by |x| / σ of their token, where sparsity is asked: levels.py
    PLACE non-finite     Count () of tokens with NaN or infinity, which are left out of all else
    ==================== ==========================================================================================
    """

    layers: tuple[str, ...]
    names: tuple[str, ...]
    tau: float = TAU

    @property
    def edges(self) -> tuple[float, ...]:
        """Of the levels; none where there are none."""
        return EDGES if "sparsity" in self.names else ()

    def begin(self, passage: Passage) -> Finish:
        told: dict[str, Told] = {}
        for place in self.layers:
            passage.each_token(place, partial(self._tell, told, place))
        return lambda: {name: kind for place, one in told.items() for name, kind in self._left(place, one).items()}

    def _tell(self, told: dict[str, Told], place: str, rows: Tensor) -> None:
        size = max(1, PIECE // rows.shape[1]) if rows.device.type == "cpu" else len(rows)
        pieces = [self._piece(piece) for piece in rows.split(size)]
        values, levels, bad = zip(*pieces, strict=True)
        told[place] = Told(torch.cat(values), torch.stack(levels).sum(0), torch.stack(bad).sum())

    def _piece(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens that are not finite stay among the values, as NaN."""
        tokens = TokenStatistics(rows, self.tau)
        fine = tokens.finite
        values = torch.where(fine[:, None], tokens.named(self.names), torch.nan)
        return values, self._levels(tokens, fine), (~fine).sum()

    def _levels(self, tokens: TokenStatistics, fine: Tensor) -> Tensor:
        if not self.edges:
            return fine.new_zeros(0, dtype=torch.long)
        every = bool(fine.all())
        return counted_levels(*(one if every else one[fine] for one in (tokens.x, tokens.std)))

    def _left(self, place: str, told: Told) -> Record:
        values = told.values.cpu().double()
        found: Record = {
            f"{place} values": Tally.of(values),
            f"{place} distributions": Count(counted(values.numpy())),
            f"{place} non-finite": Count.of(told.bad),
        }
        return {**found, f"{place} levels": Count.of(told.levels)} if self.edges else found


def cumulative(levels: Count, edges: Sequence[float]) -> dict[float, float]:
    """The share of entries with |x| <= edge · σ of their token, by edge: the sparsity at each."""
    shares = levels.counts.cumsum() / levels.counts.sum()
    return dict(zip(edges, shares.tolist(), strict=False))
