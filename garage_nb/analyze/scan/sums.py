"""Sums: what a place held over all tokens read so far; it does not grow with them.

A statistic is that of every token by itself (core/tokenwise.py), then the mean over tokens: so it is the same however
the prompts are cut. A token with NaN or infinity in it is counted, and left out of everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.stats import wide
from ...core.tokenwise import statistics_each
from ...errors import InputError
from ..neurons.firing import fires
from .sinks import Sinks

STATISTICS = ("mean", "std", "norm", "sparsity", "exact_zeros", "entropy", "kurtosis")
_ALL = (*STATISTICS, "non_finite")
_NOWHERE = 2**62


@dataclass(frozen=True, eq=False)
class Gauge:
    """One place over the `tokens` of one subject, of which `fine` are finite here.

    `statistics` are means over tokens; `growth` is NaN off the stream. `rms` is over tokens, of each dimension; `rates`
    are of neurons, `sinks` of the heads of an attention, None elsewhere. `first` is the prompt, from 0, that first had
    NaN or infinity here.
    """

    tokens: int
    fine: int
    statistics: dict[str, float]
    growth: float
    largest: float
    non_finite: int
    first: int | None
    rms: Float[Tensor, " dim"]
    rates: Float[Tensor, " neurons"] | None = None
    sinks: Sinks | None = None

    @cached_property
    def peak(self) -> float:
        """The largest |x| over the root mean square of all entries."""
        usual = float(self.rms.square().mean().sqrt())
        return self.largest / usual if usual else float("nan")

    @cached_property
    def excess(self) -> Float[Tensor, " dim"]:
        """The rms of each dimension over that of the median one."""
        return torch.where(self.rms == 0, 0, self.rms / self.rms.quantile(0.5))

    @property
    def outlier(self) -> float:
        return float(self.excess.max())

    @property
    def silent(self) -> float:
        """Share of neurons that fired at no token."""
        if self.rates is None:
            return float("nan")
        return float(torch.where(self.rates.isnan(), self.rates, (self.rates == 0).double()).mean())

    @property
    def sink(self) -> float:
        """Of the head that gives most to the first token."""
        return float("nan") if self.sinks is None else float(self.sinks.scores.max())


class Sums:
    """Of one place. `firing` is the threshold of its neurons, None where it has none. Nothing waits for a device."""

    _largest: Tensor
    _first: Tensor

    def __init__(self, name: str, tau: float, firing: float | None) -> None:
        self.name, self.tau, self.firing = name, tau, firing
        self.tokens = 0
        self._width: int | None = None

    def add(self, rows: Float[Tensor, "tokens dim"], prompt: int) -> Float[Tensor, " tokens"]:
        """Returns the tokens' norms, NaN where one is not finite: what growth is told from."""
        x = rows.detach().to(wide(rows.device))
        self._demand_width(x)
        found = statistics_each(x, _ALL, self.tau)
        count = found[:, _ALL.index("non_finite")]
        fine = count == 0
        told = torch.where(fine[:, None], found, torch.nan)
        whole = torch.where(fine[:, None], x, 0)
        self.tokens += len(x)
        self._fine += fine.sum()
        self._sums += told[:, : len(STATISTICS)].nansum(0)
        self._counts += (~told[:, : len(STATISTICS)].isnan()).sum(0)
        self._squares += whole.square().sum(0)
        self._largest = torch.maximum(self._largest, whole.abs().max())
        self._bad += count.sum()
        self._first = self._first.minimum(torch.where(fine.all(), _NOWHERE, prompt))
        if self.firing is not None:
            self._fired += fires(whole, self.firing).sum(0)
        return told[:, _ALL.index("norm")]

    def grow(self, before: Float[Tensor, " tokens"], after: Float[Tensor, " tokens"]) -> None:
        """‖after‖ / ‖before‖ token by token; one that was 0 has none."""
        if before.shape == after.shape:
            ratio = after / torch.where(before > 0, before, torch.nan).to(after.device)
            self._growth += torch.stack([ratio.nansum(), (~ratio.isnan()).sum().to(ratio.dtype)])

    def gauge(self, sinks: Sinks | None = None) -> Gauge:
        means = (self._sums / self._counts).tolist()
        tokens, first = self._fine, int(self._first)
        return Gauge(
            tokens=self.tokens,
            fine=int(tokens),
            statistics=dict(zip(STATISTICS, means, strict=True)),
            growth=(self._growth[0] / self._growth[1]).item(),
            largest=self._largest.item() if tokens else float("nan"),
            non_finite=int(self._bad),
            first=None if first == _NOWHERE else first,
            rms=(self._squares / tokens).sqrt().cpu().double(),
            rates=None if self.firing is None else (self._fired / tokens).cpu(),
            sinks=sinks,
        )

    def _demand_width(self, x: Tensor) -> None:
        if self._width is None:
            self._begin(x)
        if x.shape[1] != self._width:
            raise InputError(
                f"{self.name} is {self._width} wide for one prompt and {x.shape[1]} for another.",
                "Name layers, attentions, ffns or neurons.",
            )

    def _begin(self, x: Tensor) -> None:
        zeros = partial(torch.zeros, dtype=x.dtype, device=x.device)
        self._width = x.shape[1]
        self._squares, self._fired = zeros(self._width), zeros(self._width)
        self._sums, self._counts, self._growth = zeros(len(STATISTICS)), zeros(len(STATISTICS)), zeros(2)
        self._fine, self._bad, self._largest = zeros(()), zeros(()), zeros(())
        self._first = torch.full((), _NOWHERE, device=x.device)
