"""Debate: two disturbed views of the hidden states at one place, reconciled into what the model goes on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.seed import seeded
from ..core.tokens import EVERY
from ..errors import EditError
from .edit import Edit, said
from .place import Place
from .views import DIVERGENCES, RECONCILIATIONS


class Round:
    """One open debate: what its generator drew so far, and the cosine of the views (tokens,) in the latest pass."""

    def __init__(self, debate: Debate) -> None:
        generator = seeded(debate.seed)
        self._views = [DIVERGENCES[debate.divergence](debate.strength, generator) for _ in range(2)]
        self._weigh = RECONCILIATIONS[debate.reconciliation](debate.gate, debate.seed)
        self.cosines: Tensor | None = None

    def __call__(
        self, hidden: Float[Tensor, "batch seq dim"], touched: Tensor | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        rows = hidden.reshape(-1, hidden.shape[-1])
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32))
        a, b = (view(rows) for view in self._views)
        self.cosines = torch.cosine_similarity(a.detach(), b.detach(), dim=1)
        return (b + self._weigh(a, b) * (a - b)).to(hidden.dtype).reshape(hidden.shape)


@dataclass(frozen=True, eq=False)
class Debate(Edit):
    """Two views of every token are made by `divergence` and joined by `reconciliation`; strength 0 changes nothing.

    ============ ===================================================================================================
    dropout      each entry is 0 with probability strength, the others are divided by 1 − strength
    perturbation normal noise is added, strength times the standard deviation of the token's own vector
    projection   (1 − strength) · hidden + strength · 2 · P hidden; P projects onto a random half of the directions
    average      half of each view
    confidence   softmax over the views of minus the entropy of the token's energy, p_d = x_d² / sum x², in nats:
                 a view is taken to be the surer the fewer dimensions it puts its energy in
    gated        sigmoid of what a gate answers to both views side by side is the share of the first view
    ============ ===================================================================================================

    `gate` is a fitted module from (tokens, 2 · dim) to one logit a token, or one a dimension. With None a random
    Linear stands in for it. Draws come from a generator of the debate's own.
    """

    divergence: str = "dropout"
    reconciliation: str = "average"
    strength: float = 0.1
    seed: int = 0
    gate: nn.Module | None = None

    def __post_init__(self) -> None:
        _demand(self.divergence, DIVERGENCES, "divergence")
        _demand(self.reconciliation, RECONCILIATIONS, "reconciliation")
        if not 0 <= self.strength < 1:
            raise EditError(f"A divergence of strength {self.strength:g} is out of range.", "Give 0 up to below 1.")
        seeded(self.seed)
        if self.gate is not None and self.reconciliation != "gated":
            raise EditError(f"A gate was given, but {self.reconciliation} has none.", 'Use reconciliation "gated".')
        super().__post_init__()

    def writer(self, place: Place) -> Round:
        return Round(self)

    @property
    def trained(self) -> bool:
        return self.gate is not None

    @property
    def status(self) -> str:
        return "fitted gate" if self.trained else "untrained"

    def __str__(self) -> str:
        how = f"{self.divergence} {self.reconciliation} {self.strength:g} {self.seed}"
        tokens = "" if self.tokens == EVERY else f" --tokens {self.tokens}"
        return f"{self.verb} {self.at} {how}{tokens} ({self.status})"


def _demand(asked: str, known: Mapping[str, Any], what: str) -> None:
    if asked not in known:
        raise EditError(f"There is no {what} {said(asked)}.", f"There are: {', '.join(known)}.")
