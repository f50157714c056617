"""The statistics of every token by itself: those of `stats`, each token taken as a tensor (1, dim) of its own.

All tokens are worked out side by side on the device. Beside the statistics a token leaves a histogram of |x| / σ, as
cumulative counts: how many of its entries are no larger than each edge times its own standard deviation. From these
the sparsity at every edge is known exactly, long after the tensor is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import HookError
from .attention import INSIDE
from .batch import Batch
from .sites import Site, tokens_first
from .stats import NAMES, TAU, TINY, wide

TOKENWISE = tuple(name for name in NAMES if name != "effective_dimension")  # that needs more than one token
STORED = tuple(name for name in TOKENWISE if name != "sparsity")  # which comes from the counts
NUMBERS = len(STORED) + 1  # of a token, beside a count for each edge
_STEPS = (
    1,
    1.2,
    1.4,
    1.6,
    1.8,
    2,
    2.5,
    3,
    3.5,
    4,
    4.5,
    5,
    6,
    7,
    8,
    9,
)  # round numbers, about evenly apart in logarithm
EDGES = (0.0, *(float(f"{step}e{decade}") for decade in (-3, -2, -1, 0) for step in _STEPS), 10.0)


def edges_with(taus: Iterable[float]) -> tuple[float, ...]:
    """The edges that are always there, from 0 over 0.001 to 10, and these."""
    return tuple(sorted({*EDGES, *taus}))


def token_rows(site: Site, hidden: Tensor) -> Float[Tensor, "tokens dim"]:
    """All that a place holds of each token of one text, whatever axes it has: (1, seq, …), or (seq, dim)."""
    first = tokens_first(site, hidden)
    tokens = first.shape[1] if first.ndim > 2 and first.shape[0] == 1 else first.shape[0]
    return first.reshape(tokens, -1)


def token_rows_of(
    site: Site, hidden: Tensor, batch: Batch, real: Int[Tensor, " real"] | None
) -> Float[Tensor, "tokens dim"]:
    """The same of the texts of a batch, one after the other; `real` is `real_tokens` of its padding, None without any.

    HookError where padding cannot be told from tokens, or a token from another text's.
    """
    texts, seq = batch.input_ids.shape
    if texts == 1 and real is None:
        return token_rows(site, hidden)
    shared = hidden.expand(texts, *hidden.shape[1:]) if hidden.shape[:2] == (1, seq) else hidden
    if site.side in INSIDE or (shared.shape[:2] != (texts, seq) and shared.shape[:-1] != (texts * seq,)):
        raise HookError(
            f"The tokens of {texts} texts cannot be told apart in {tuple(hidden.shape)}, at {site}.",
            "Read this place with one text at a time.",
        )
    rows = shared.reshape(texts * seq, -1)
    return rows if real is None else rows.index_select(0, real.to(rows.device))


def reduce_each(rows: Float[Tensor, "tokens dim"], edges: Sequence[float]) -> Float[Tensor, "tokens numbers"]:
    """A token's statistics in the order of STORED, then its counts at each edge, then the width, which is the count
    at an edge no entry is beyond. One tensor on the device of `rows`, which is not waited for.
    """
    tokens = TokenStatistics(rows)
    return torch.cat([tokens.named(STORED), tokens.counts(edges)], dim=1)


def statistics_each(
    rows: Float[Tensor, "tokens dim"], names: Sequence[str] = TOKENWISE, tau: float = TAU
) -> Float[Tensor, "tokens statistics"]:
    """A token's statistics in the order of `names`, on the device of `rows`, which is not waited for."""
    return TokenStatistics(rows, tau).named(names)


class TokenStatistics:
    """Every property is (tokens,), worked out when asked for; their definitions are those of `stats.Reduction`."""

    def __init__(self, rows: Float[Tensor, "tokens dim"], tau: float = TAU) -> None:
        self.x, self.tau = rows.detach().to(wide(rows.device)), tau

    def named(self, names: Sequence[str]) -> Float[Tensor, "tokens names"]:
        return torch.stack([getattr(self, name) for name in names], dim=1)

    @cached_property
    def min(self) -> Tensor:
        return self.x.amin(dim=1)

    @cached_property
    def max(self) -> Tensor:
        return self.x.amax(dim=1)

    @cached_property
    def mean(self) -> Tensor:
        return self.x.mean(dim=1).clamp(self.min, self.max)  # rounding must not give a constant a spread

    @cached_property
    def variance(self) -> Tensor:
        return (self.x - self.mean[:, None]).square_().mean(dim=1)

    @cached_property
    def std(self) -> Tensor:
        return self.variance.sqrt()

    @property
    def kurtosis(self) -> Tensor:
        fourth = (self.x - self.mean[:, None]).square_().square_().mean(dim=1)
        return fourth / self.variance.square()

    @cached_property
    def norm(self) -> Tensor:
        return torch.linalg.vector_norm(self.x, dim=1)

    @property
    def entropy(self) -> Tensor:
        lengths = self.norm.clamp_min(torch.finfo(self.x.dtype).tiny)[:, None]
        share = (self.x / lengths).float().square()
        return -share.clamp_min(TINY).log_().mul_(share).sum(dim=1, dtype=self.x.dtype)

    @property
    def sparsity(self) -> Tensor:
        near = self.tau * self.std[:, None]
        return self.x.abs().le_(near).mean(dim=1)

    @property
    def exact_zeros(self) -> Tensor:
        return (self.x == 0).to(self.x.dtype).mean(dim=1)

    @property
    def non_finite(self) -> Tensor:
        return (~self.x.isfinite()).sum(dim=1).to(self.x.dtype)

    @property
    def finite(self) -> Bool[Tensor, " tokens"]:
        """Whether all entries are: else their mean is not."""
        return self.mean.isfinite()

    def counts(self, edges: Sequence[float]) -> Float[Tensor, "tokens edges"]:
        """Entries with |x| <= edge · std, exactly as a comparison of each would have it; NaN is beyond every edge."""
        sizes = self.x.abs().sort(dim=1).values.contiguous()
        near = torch.tensor(edges, dtype=self.x.dtype).to(self.x.device) * self.std[:, None]
        counts = torch.searchsorted(sizes, near, right=True)
        return torch.nn.functional.pad(counts, (0, 1), value=self.x.shape[1]).to(self.x.dtype)
