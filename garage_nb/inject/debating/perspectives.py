"""Perspectives: the writes of one pass that part the stream into shares of the batch and bring them together again.

The batch runs n + 1 times side by side. The first share is the model's own stream, and takes what the others come to
where they meet; each of those goes on by itself to the end, and so says what it would have said.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.rows import by_rows
from ...core.seed import seeded
from ...core.sites import Read, Write, Writer
from ...core.stats import exact, token_entropy
from ...registry.specs import ModelSpec
from ..views import DIVERGENCES
from .debating import Debating
from .gate import untrained

Weigh = Callable[[Float[Tensor, "n tokens dim"]], Float[Tensor, "n tokens"]]


class Perspectives:
    """One open debate, and of its latest pass the cosine of each pair (pairs, batch, seq) where they met and how much
    each counted (n, batch, seq). Pairs are (0, 1), (0, 2), (1, 2), … `likeness` is the cosine of each perspective with
    the model's own stream, layer by layer from where they part to where they meet: (layers, n, batch, seq).
    """

    def __init__(self, debating: Debating) -> None:
        self.debating = debating
        self.cosines = self.shares = torch.empty(0)
        self._likeness: dict[str, Tensor] = {}

    @property
    def likeness(self) -> Float[Tensor, "layers n batch seq"]:
        return torch.stack([*self._likeness.values()])

    @property
    def rows(self) -> int:
        """How many times the batch runs side by side."""
        return len(self.debating.seeds) + 1

    def taps(self, spec: ModelSpec) -> list[Write]:
        """Errors as of `Debating.span`."""
        span, said = self.debating.span(spec), str(self.debating)
        how = (self.debating.divergence, self.debating.strength)
        parting = by_rows([None, *(viewed(*how, seed) for seed in self.debating.seeds)])
        return [
            Write(spec.site(span.start.name), parting, said),
            Write(spec.site(span.end.name), self._meet, said),
        ]

    def reads(self, spec: ModelSpec) -> list[Read]:
        """What `likeness` needs, behind the writes: all layers but the one where they meet, which `_meet` sees."""
        layers = self.debating.span(spec).layers
        self._likeness = {name: torch.empty(0) for name in layers}
        return [Read(spec.site(name), partial(self._compare, name)) for name in layers[:-1]]

    def _compare(self, name: str, hidden: Tensor) -> None:
        own, *others = exact(hidden.detach()).chunk(self.rows)
        self._likeness[name] = torch.stack([torch.cosine_similarity(own, one, dim=-1) for one in others])

    def _meet(self, hidden: Tensor, touched: Tensor | None) -> Tensor:
        """A gradient, where one is asked for, begins here."""
        if self._likeness:
            self._compare([*self._likeness][-1], hidden)
        own, *others = hidden.detach().chunk(self.rows)
        rows = torch.stack([_wide(one).flatten(0, 1) for one in others])
        shares = self._weigh(rows.shape[-1])(rows)
        merged = rows[0] + (shares[1:, :, None] * (rows[1:] - rows[0])).sum(dim=0)
        pairs = combinations(exact(rows), 2)
        cosines = torch.stack([torch.cosine_similarity(a, b, dim=1) for a, b in pairs])
        self.cosines, self.shares = (kept.detach().unflatten(1, own.shape[:2]) for kept in (cosines, shares))
        return torch.cat([merged.to(hidden).reshape(own.shape), *others])

    def _weigh(self, width: int) -> Weigh:
        debating = self.debating
        if debating.reconciliation == "gated":
            return debating.gate or untrained(len(debating.seeds), width, debating.seeds[0])
        return {"average": _average, "confidence": _confidence}[debating.reconciliation]


def viewed(divergence: str, strength: float, seed: int) -> Writer:
    """One perspective's view, token by token: what is drawn for a token depends on how many stand before it, and not on
    what stands beside or behind. Padding is left as it is.
    """

    def write(hidden: Tensor, touched: Tensor | None) -> Tensor:
        real = torch.ones_like(hidden[..., 0], dtype=torch.bool) if touched is None else touched[..., 0]
        turn = real.long().cumsum(dim=1).where(real, 0)  # 1 for the first token of each text
        view, seen = DIVERGENCES[divergence](strength, seeded(seed)), hidden.clone()
        for number in range(1, int(turn.max()) + 1):
            here = turn == number
            seen[here] = view(_wide(hidden[here])[:, None])[:, 0].to(hidden)
        return seen

    return write


def _average(rows: Tensor) -> Tensor:
    return rows.new_full(rows.shape[:2], 1 / len(rows))


def _confidence(rows: Tensor) -> Tensor:
    """Softmax of minus the entropy of the token's energy, p_d = x_d² / sum x², in nats."""
    entropies = [token_entropy(one.square(), one.square().sum(dim=1)) for one in rows]
    return torch.stack(entropies).neg().softmax(dim=0)


def _wide(hidden: Tensor) -> Tensor:
    return hidden.to(torch.promote_types(hidden.dtype, torch.float32))
