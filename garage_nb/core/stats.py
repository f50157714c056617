"""The statistics of a tensor of activations: their definitions, and one reduction that computes them where it lies.

All of them treat the tensor as rows of tokens, (tokens, dim), padding left out. They run in float64, but for the
logarithms of the entropy: those are float32, which leaves it within 1e-6 · max(1, entropy).

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

A constant tensor has std 0; its kurtosis is NaN and its sparsity 1 only where it is 0 itself. To add one: a field of
Statistics, and how `Reduction` gets it under the same name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import HookError, InputError

TAU = 0.1
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Statistics:
    """One tensor in eleven numbers; the module's text defines each. One that was not asked for is NaN."""

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
    def from_row(cls, row: list[float], names: Sequence[str] | None = None) -> Statistics:
        """`row` as `reduce` gives it for these names, "non_finite" among them; all of NAMES when left out."""
        numbers = dict.fromkeys(NAMES, math.nan) | dict(zip(names or NAMES, row, strict=True))
        return cls(**{**numbers, "non_finite": int(numbers["non_finite"])})  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


NAMES = tuple(field.name for field in fields(Statistics))


def asked(statistics: str | Iterable[str] | None) -> tuple[str, ...]:
    """What was asked, in the order of NAMES, with the count of non-finite entries: no number holds where there are any.

    None asks for all. InputError for a name that is not there.
    """
    wanted = NAMES if statistics is None else (statistics,) if isinstance(statistics, str) else tuple(statistics)
    for name in wanted:
        if name not in NAMES:
            raise InputError(f"There is no statistic {name!r}.", f"There are: {', '.join(NAMES)}.")
    return tuple(name for name in NAMES if name in (*wanted, "non_finite"))


def demand_threshold(tau: float) -> None:
    if not 0 <= tau < math.inf:
        raise InputError(f"{tau:g} standard deviations are no threshold.", f"The usual is {TAU:g}.")


def real_tokens(mask: Int[Tensor, "batch seq"]) -> Int[Tensor, " real"]:
    """Where tokens that are no padding stand among (batch · seq); a device is waited for, to say how many."""
    return mask.reshape(-1).nonzero()[:, 0]


def rows_of(
    hidden: Tensor, mask: Int[Tensor, "batch seq"] | None = None, real: Int[Tensor, " real"] | None = None
) -> Float[Tensor, "tokens dim"]:
    """Flatten (…, dim) to rows and leave out those of padding; `real` is `real_tokens(mask)` where that is known.

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
    tokens = shared.reshape(batch * seq, -1, hidden.shape[-1])
    kept = real_tokens(mask) if real is None else real
    return tokens.index_select(0, kept.to(hidden.device)).flatten(0, 1)


def reduce(
    rows: Float[Tensor, "tokens dim"], tau: float = TAU, names: Sequence[str] = NAMES
) -> Float[Tensor, " statistics"]:
    """The numbers of `names`, in that order, as one tensor on the device of `rows`, which is not waited for."""
    reduction = Reduction(rows, tau)
    return torch.stack([getattr(reduction, name) for name in names])


class Reduction:
    """The statistics of `rows` by name, each worked out when asked for, from what others have worked out before.

    `x` is only read. Whole tensors are written to one `scratch`: a statistic asks for what it needs first, writes, and
    reduces at once. So a few copies of `x` are all the memory this takes; a 0 or 1 is a float there, faster to count.
    """

    def __init__(self, rows: Float[Tensor, "tokens dim"], tau: float = TAU) -> None:
        self.x, self.tau = rows.detach().to(wide(rows.device)), tau

    @cached_property
    def scratch(self) -> Tensor:
        return torch.empty_like(self.x)

    @cached_property
    def extremes(self) -> tuple[Tensor, Tensor]:
        low, high = self.x.aminmax()
        return low, high

    @property
    def min(self) -> Tensor:
        return self.extremes[0]

    @property
    def max(self) -> Tensor:
        return self.extremes[1]

    @cached_property
    def mean(self) -> Tensor:
        return self.x.mean().clamp(*self.extremes)  # rounding must not give a constant a spread

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """The second and the fourth about the mean."""
        square = torch.sub(self.x, self.mean, out=self.scratch).square_()
        return square.mean(), square.square_().mean()

    @cached_property
    def std(self) -> Tensor:
        return self.moments[0].sqrt()

    @property
    def kurtosis(self) -> Tensor:
        variance, fourth = self.moments
        return fourth / variance.square()

    @cached_property
    def lengths(self) -> Float[Tensor, " tokens"]:
        return torch.linalg.vector_norm(self.x, dim=1)

    @property
    def norm(self) -> Tensor:
        return self.lengths.mean()

    @property
    def entropy(self) -> Tensor:
        lengths = self.lengths.clamp_min(torch.finfo(self.x.dtype).tiny)[:, None]
        share = torch.div(self.x, lengths, out=self.scratch).float().square_()  # of a token without energy, all 0
        return share.clamp_min(TINY).log_().mul_(share).sum(dtype=self.x.dtype) / -len(share)  # 0 ln 0 is 0

    @property
    def sparsity(self) -> Tensor:
        near = self.tau * self.std
        return torch.abs(self.x, out=self.scratch).le_(near).mean()

    @property
    def exact_zeros(self) -> Tensor:
        return torch.eq(self.x, 0, out=self.scratch).mean()

    @property
    def non_finite(self) -> Tensor:
        return torch.mul(self.x, 0, out=self.scratch).ne_(0).sum()  # 0 times NaN or infinity is NaN

    @property
    def effective_dimension(self) -> Tensor:
        shifted = torch.sub(self.x, self.x[0], out=self.scratch)  # equal tokens become exactly 0
        centred = shifted.sub_(shifted.mean(dim=0))
        smaller = centred @ centred.T if len(centred) <= centred.shape[1] else centred.T @ centred
        return (smaller.trace() / torch.linalg.vector_norm(smaller)).square()


def token_entropy(square: Float[Tensor, "tokens dim"], energy: Float[Tensor, " tokens"]) -> Float[Tensor, " tokens"]:
    """ln(sum e) - sum(e ln e) / sum e, token by token; a token without energy has entropy 0."""
    safe = torch.where(energy == 0, torch.ones_like(energy), energy)
    return safe.log() - torch.special.xlogy(square, square).sum(dim=1) / safe


def exact(numbers: Tensor) -> Tensor:
    """In double precision, where the device knows it."""
    return numbers.to(wide(numbers.device))


def wide(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # that device has no float64
