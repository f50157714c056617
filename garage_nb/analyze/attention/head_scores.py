"""The scores of an attention pattern: how much of its weight goes where a known kind of head would put it.

============== ===============================================================================================
previous_token to the token before; mean over all tokens but the first
duplicate_token to earlier tokens equal to the one that looks; mean over tokens that have one (Wang et al. 2022)
induction      to the tokens behind those earlier ones; mean over tokens that have one (Olsson et al. 2022)
sink           to the first token; mean over all tokens but the first (Xiao et al. 2023)
entropy        of a token's weights, in nats; mean over all tokens
============== ===============================================================================================

All but the entropy are shares of attention, from 0 to 1. Of a head that looks back evenly they say what chance is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.stats import wide

SHARES = ("previous_token", "duplicate_token", "induction", "sink")
SCORES = (*SHARES, "entropy")
AHEAD = len(SCORES)  # the column of the weight that goes to later tokens, which tells who can see them


@dataclass(frozen=True, eq=False)
class Wanted:
    """Of one text, for each score: where the weight would go, and which tokens count. Made once for all heads."""

    tokens: Int[Tensor, " seq"]

    @cached_property
    def masks(self) -> dict[str, Bool[Tensor, "seq seq"]]:
        seq = len(self.tokens)
        equal = self.tokens[:, None] == self.tokens[None]
        earlier = torch.ones(seq, seq, dtype=torch.bool, device=self.tokens.device).tril(-1)
        duplicate = equal & earlier
        behind = torch.zeros_like(duplicate)
        behind[:, 1:] = duplicate[:, :-1]
        first = torch.zeros_like(duplicate)
        first[1:, 0] = True
        previous = earlier & ~earlier.tril(-2)
        return {"previous_token": previous, "duplicate_token": duplicate, "induction": behind & earlier, "sink": first}

    @cached_property
    def counts(self) -> Float[Tensor, " scores"]:
        """How many tokens each score is a mean over."""
        shares = [self.masks[name].any(1).sum() for name in SHARES]
        return torch.stack([*shares, torch.tensor(len(self.tokens), device=self.tokens.device)]).to(self.kind)

    @property
    def kind(self) -> torch.dtype:
        return wide(self.tokens.device)

    def sums(self, weights: Float[Tensor, "heads query key"]) -> Float[Tensor, "heads scores+1"]:
        """The scores, each times its count, and the weight that goes to later tokens."""
        exact = weights.to(self.kind)
        shares = [(exact * self.masks[name]).sum((1, 2)) for name in SHARES]
        ahead = exact.triu(1).sum((1, 2))
        return torch.stack([*shares, torch.special.entr(exact).sum((1, 2)), ahead], dim=1)


def even(tokens: Int[Tensor, " seq"], *, causal: bool) -> Float[Tensor, "1 seq seq"]:
    """A head that looks alike at all tokens, or at all up to its own."""
    seen = torch.ones(len(tokens), len(tokens), device=tokens.device)
    seen = seen.tril() if causal else seen
    return (seen / seen.sum(1, keepdim=True))[None]
