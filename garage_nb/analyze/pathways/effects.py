"""Effects: how the log-probability of answers changes when one neuron is taken away, by domain.

exact        the model is run without it (ablation)
first order  (fill − a) · ∂ log p / ∂a, summed over tokens: all neurons from one pass forth and one back (Molchanov et
             al., "Importance Estimation for Neural Network Pruning", 2019; Syed et al., "Attribution Patching
             Outperforms Automated Circuit Discovery", 2023)

Above 0 the neuron harms the answers. Only moments over items are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.gradient import gradients
from ...core.progress import progress
from ...core.sites import Tap
from ...core.stats import wide
from ...inject.mask import Mask
from ..judging.answer_losses import mean_answer_losses
from ..judging.sheets import Sheet
from ..student import one_sided, quantile
from .activity import Hidden, readers, shared_out, site_of
from .half import Half

SHARE = 0.95
_SAME = 1e-12  # of the mean square: a variance that small is rounding
Fills = Mapping[str, Float[Tensor, " neurons"]]  # what stands for neurons that go; 0 for parts that are not named


@dataclass(frozen=True, eq=False)
class Effects:
    """Of some neurons, nats a token: mean and standard deviation over the items of each domain, and the mean of what it
    is without its sign.
    """

    mean: Float[Tensor, "domains neurons"]
    std: Float[Tensor, "domains neurons"]
    size: Float[Tensor, "domains neurons"]
    counts: Int[Tensor, " domains"]

    @property
    def margin(self) -> Float[Tensor, "domains neurons"]:
        """Half of the 95 % interval of the mean, by Student's t."""
        ts = [quantile((1 + SHARE) / 2, int(count) - 1) if count > 1 else torch.nan for count in self.counts]
        return torch.tensor(ts, dtype=torch.float64)[:, None] * self._error

    @property
    def p(self) -> Float[Tensor, "domains neurons"]:
        """One-sided: how often a mean as far above 0 comes by chance. NaN where it is the same in every item."""
        rows = zip((self.mean / self._error).tolist(), (self.counts - 1).tolist(), strict=True)
        found = [[one_sided(t, freedom) if math.isfinite(t) else math.nan for t in ts] for ts, freedom in rows]
        return torch.tensor(found, dtype=torch.float64)

    def split(self, sizes: Sequence[int]) -> list[Effects]:
        """Side by side, so many neurons each."""
        pieces = (one.split(list(sizes), 1) for one in (self.mean, self.std, self.size))
        return [Effects(mean, std, size, self.counts) for mean, std, size in zip(*pieces, strict=True)]

    @property
    def _error(self) -> Tensor:
        return self.std / self.counts.double().sqrt()[:, None]


class Tally:
    """Moments of what comes item by item."""

    def __init__(self, domains: int, neurons: int) -> None:
        self._sums = torch.zeros(3, domains, neurons, dtype=torch.float64)
        self._counts = torch.zeros(domains, dtype=torch.long)

    def add(self, domains: Int[Tensor, " items"], each: Float[Tensor, "items neurons"]) -> None:
        for place, values in enumerate((each, each.square(), each.abs())):
            self._sums[place].index_add_(0, domains, values)
        self._counts += torch.bincount(domains, minlength=len(self._counts))

    def effects(self) -> Effects:
        counts = self._counts.double()[:, None]
        mean, square, size = self._sums / counts
        spread = (square - mean.square()) * counts / (counts - 1).clamp(min=1)
        spread = spread.where(spread > _SAME * square, 0)
        return Effects(mean, spread.sqrt(), size, self._counts)


def estimated(half: Half, parts: Sequence[str], fills: Fills) -> dict[str, Effects]:
    """To first order, of every neuron of each part. UnsupportedModelError where no gradient comes back."""
    lifted, sites = half.lifted, [site_of(half.lifted, name) for name in parts]
    tallies: dict[str, Tally] = {}
    with progress("estimating effects", "sheet", len(half.sheets)) as bar:
        for sheet in half.sheets:
            seen: Hidden = {}
            taps: list[Tap] = [*half.recipe.taps(lifted.spec), *readers(lifted, parts, sheet, seen)]
            slopes = gradients(lifted.model, half.batch(sheet), taps, sites, _scored(sheet))
            for name, slope in zip(parts, slopes, strict=True):
                hidden = seen[name].to(wide(slope.device))
                moved = (shared_out(fills, name, hidden) - hidden) * slope.reshape(hidden.shape).to(hidden)
                each = moved.sum(1).cpu().double()  # (rows, neurons)
                tallies.setdefault(name, Tally(len(half.domains), each.shape[1])).add(half.which[sheet.numbers], each)
            bar.update()
    return {name: tally.effects() for name, tally in tallies.items()}


def ablated(half: Half, neurons: Sequence[tuple[str, int]], fills: Fills) -> Effects:
    """Exactly, of the neurons named by part and number: as many passes a sheet, and one more."""
    before = half.scores().log_probs
    tally = Tally(len(half.domains), len(neurons))
    each = torch.zeros(len(before), len(neurons), dtype=torch.float64)
    with progress("taking neurons away", "neuron", len(neurons)) as bar:
        for place, (name, number) in enumerate(neurons):
            each[:, place] = half.scores([Mask(name, drop=number, fill=fills.get(name))]).log_probs - before
            bar.update()
    tally.add(half.which, each)
    return tally.effects()


def _scored(sheet: Sheet) -> Callable[[Tensor], Tensor]:
    """The sum over rows: what is in one row has no say in another."""
    return lambda logits: -mean_answer_losses(logits, sheet).sum()
