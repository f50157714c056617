"""Information: what a router's choice tells of the domain beyond what the token itself tells.

I(domain; expert | token) in nats = H(expert | token) − H(expert | token, domain), by counts: a token counts as much for
each expert as its share of that token's choices. A token of one domain alone tells nothing. Counts of few tokens give
more than 0 whatever the truth is, so it is held against a floor: within each token the prompts that hold it exchange
their domains at random, which leaves alone how often a token is in a domain, and breaks only what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.seed import seeded

_SAME = 1e-12  # as large up to rounding


@dataclass(frozen=True)
class Information:
    """`floor` is the mean of what relabelled prompts give, `p` the share of them, the truth among them, that give as
    much. Both NaN without relabellings.
    """

    value: float
    floor: float
    p: float


@dataclass(frozen=True, eq=False)
class Sightings:
    """One row for each token and prompt that holds it: its choices there, by expert."""

    tokens: Int[Tensor, " rows"]
    prompts: Int[Tensor, " rows"]
    choices: Float[Tensor, "rows experts"]

    @classmethod
    def of(cls, ids: Int[Tensor, " tokens"], prompt: int, shares: Float[Tensor, "tokens experts"]) -> Sightings:
        """Of one prompt; `shares` of a token sum to 1."""
        tokens, which = ids.unique(return_inverse=True)
        counts = torch.zeros(len(tokens), shares.shape[1], dtype=torch.float64).index_add_(0, which, shares.double())
        return cls(tokens, torch.full_like(tokens, prompt), counts)

    @classmethod
    def together(cls, several: list[Sightings]) -> Sightings:
        columns = [[one.tokens for one in several], [one.prompts for one in several], [one.choices for one in several]]
        return cls(*(torch.cat(column) for column in columns))


def information(seen: Sightings, domains: Int[Tensor, " prompts"], relabellings: int, seed: int) -> Information:
    """`domains` by prompt."""
    labels, generator = domains[seen.prompts], seeded(seed)
    _, tokens = seen.tokens.unique(return_inverse=True)
    without = _conditional(tokens, seen.choices)
    value = without - _conditional(_keys(tokens, labels), seen.choices)
    drawn = [
        without - _conditional(_keys(tokens, _exchanged(tokens, labels, generator)), seen.choices)
        for _ in range(relabellings)
    ]
    if not drawn:
        return Information(max(value, 0.0), float("nan"), float("nan"))
    as_much = sum(one >= value - _SAME for one in drawn)
    return Information(max(value, 0.0), sum(drawn) / len(drawn), (1 + as_much) / (1 + len(drawn)))


def _exchanged(tokens: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Labels change places among the rows of one token."""
    shuffled = (tokens + torch.rand(len(tokens), generator=generator, dtype=torch.float64)).argsort()
    return torch.empty_like(labels).scatter(0, tokens.argsort(stable=True), labels[shuffled])


def _keys(tokens: Tensor, labels: Tensor) -> Tensor:
    return tokens * (int(labels.max()) + 1) + labels


def _conditional(keys: Int[Tensor, " rows"], choices: Float[Tensor, "rows experts"]) -> float:
    """H(expert | key) in nats."""
    _, which = keys.unique(return_inverse=True)
    table = torch.zeros(int(which.max()) + 1, choices.shape[1], dtype=torch.float64).index_add_(0, which, choices)
    whole = table.sum(1)
    return float((torch.xlogy(whole, whole).sum() - torch.xlogy(table, table).sum()) / whole.sum())
