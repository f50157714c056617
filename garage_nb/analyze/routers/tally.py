"""Tally: what one router did, prompt by prompt; kept are sums, and choices by token."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from ...core.stats import wide
from .information import Sightings


@dataclass(frozen=True, eq=False)
class Tally:
    """One row a prompt of each list, sums over its tokens.

    choices    of experts; a token's sum to 1, whatever number of experts answers for it
    weights    by which they count, of a token's whole weight
    entropy    of the router's softmax over all experts, nats
    dominance  the largest share of a token's weight
    """

    choices: list[Float[Tensor, " experts"]] = field(default_factory=list)
    weights: list[Float[Tensor, " experts"]] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    dominance: list[float] = field(default_factory=list)
    seen: list[Sightings] = field(default_factory=list)

    def add(
        self, routing: Float[Tensor, "tokens experts"], logits: Tensor | None, ids: Int[Tensor, " tokens"], prompt: int
    ) -> None:
        """`routing` is what the experts were told; `logits` None where the router is no module of its own."""
        exact = routing.to(wide(routing.device))
        chosen = (exact != 0).to(exact.dtype)
        choices = (chosen / chosen.sum(1, keepdim=True).clamp(min=1)).cpu().double()
        whole = exact.sum(1, keepdim=True)
        weights = (exact / whole.where(whole != 0, 1)).cpu().double()
        self.choices.append(choices.sum(0))
        self.weights.append(weights.sum(0))
        self.dominance.append(float(weights.amax(1).sum()))
        self.entropy.append(float("nan") if logits is None else float(entropies(logits).sum()))
        self.seen.append(Sightings.of(ids, prompt, choices))


def entropies(logits: Float[Tensor, "tokens experts"]) -> Float[Tensor, " tokens"]:
    """Of softmax(logits), nats, on the host."""
    exact = logits.to(wide(logits.device)).log_softmax(-1).cpu().double()
    return -(exact.exp() * exact).sum(-1)
