"""Firing: how often the neurons of a layer are loud, counted prompt by prompt; what is kept does not grow with them.

A neuron is what enters the last projection of a feed-forward half (ffn_3.neurons), behind the activation and, where
there is one, the gate. It fires at a token where |a| > threshold · the root mean square of all neurons of its layer at
that token: a gated neuron has no sign of its own, and layers differ in scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.stats import wide

THRESHOLD = 1.0  # times the root mean square of the layer's neurons at the token


@dataclass(frozen=True, eq=False)
class Loudest:
    """The tokens at which each neuron is loudest, the first one first: value, token id, and which prompt."""

    values: Float[Tensor, "neurons top"]
    tokens: Int[Tensor, "neurons top"]
    prompts: Int[Tensor, "neurons top"]

    @classmethod
    def none(cls, neurons: int) -> Loudest:
        empty = torch.empty(neurons, 0, dtype=torch.long)
        return cls(empty.float(), empty, empty)

    def with_more(
        self, hidden: Float[Tensor, "tokens neurons"], ids: Int[Tensor, " tokens"], prompt: int, top: int
    ) -> Loudest:
        values = torch.cat([self.values, hidden.T], 1)
        shape = hidden.T.shape
        tokens = torch.cat([self.tokens, ids.expand(shape)], 1)
        prompts = torch.cat([self.prompts, torch.full(shape, prompt)], 1)
        best = values.abs().topk(min(top, values.shape[1]), dim=1).indices
        return Loudest(values.gather(1, best), tokens.gather(1, best), prompts.gather(1, best))


def fires(hidden: Float[Tensor, "tokens neurons"], threshold: float) -> Bool[Tensor, "tokens neurons"]:
    exact = hidden.to(wide(hidden.device))
    return exact.abs() > threshold * exact.square().mean(1, keepdim=True).sqrt()
