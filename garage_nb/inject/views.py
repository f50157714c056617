"""The mathematics of a self-debate: how two views of a token's hidden states are made, and how they are joined.

A *divergence* makes a view. A *reconciliation* says how much of the first view each token takes, w from 0 to 1: the
result is b + w · (a − b), which is exactly the hidden states when both views are. To add one: a function here, and its
name in the table below it. Rows are tokens, (tokens, dim), in float32 or wider; where a view is made of several texts,
(texts, tokens, dim), it draws once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.stats import token_entropy

View = Callable[[Float[Tensor, "*texts tokens dim"]], Float[Tensor, "*texts tokens dim"]]
Weigh = Callable[[Float[Tensor, "tokens dim"], Float[Tensor, "tokens dim"]], Float[Tensor, "tokens 1"]]


def _dropout(strength: float, generator: torch.Generator) -> View:
    """Every entry is set to 0 with probability `strength`, and the rest divided by 1 − strength."""

    def view(hidden: Tensor) -> Tensor:
        kept = torch.rand(hidden.shape[-2:], generator=generator, dtype=torch.float32) >= strength
        return hidden * kept.to(hidden) / (1 - strength)

    return view


def _perturbation(strength: float, generator: torch.Generator) -> View:
    """Normal noise is added, `strength` times the standard deviation of the token's own vector."""

    def view(hidden: Tensor) -> Tensor:
        noise = torch.randn(hidden.shape[-2:], generator=generator, dtype=torch.float32).to(hidden)
        return hidden + strength * hidden.std(dim=-1, keepdim=True, correction=0) * noise

    return view


def _projection(strength: float, generator: torch.Generator) -> View:
    """(1 − strength) · hidden + strength · (dim / k) · P hidden.

    P projects onto a random subspace of k = dim // 2 directions, drawn once for the view; dim / k makes up for what P
    takes away on average.
    """
    bases: dict[int, Tensor] = {}

    def view(hidden: Tensor) -> Tensor:
        dim = hidden.shape[-1]
        if dim not in bases:
            drawn = torch.randn(dim, max(dim // 2, 1), generator=generator, dtype=torch.float32)
            bases[dim] = torch.linalg.qr(drawn).Q  # (dim, k)
        basis = bases[dim].to(hidden)
        projected = (hidden @ basis) @ basis.T
        return hidden + strength * (projected * (dim / basis.shape[1]) - hidden)

    return view


DIVERGENCES: dict[str, Callable[[float, torch.Generator], View]] = {
    "dropout": _dropout,
    "perturbation": _perturbation,
    "projection": _projection,
}


def _average(a: Tensor, b: Tensor) -> Tensor:
    """Half of each view."""
    return torch.full_like(a[:, :1], 0.5)


def _confidence(a: Tensor, b: Tensor) -> Tensor:
    """Softmax over the two views of minus the entropy of the token's energy, p_d = x_d² / sum x², in nats.

    A view is taken to be the surer the fewer dimensions it puts its energy in.
    """
    entropies = [token_entropy(view.square(), view.square().sum(dim=1)) for view in (a, b)]
    return torch.sigmoid(entropies[1] - entropies[0])[:, None]


class _Gate:
    """Sigmoid of what a module (…, 2 · dim) -> (…, 1) or (…, dim) answers to both views side by side."""

    def __init__(self, module: nn.Module | None, seed: int) -> None:
        self.module, self.seed = module, seed

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        if self.module is None:
            self.module = untrained_gate(a.shape[1], self.seed).to(a)
        answer: Tensor = self.module(torch.cat([a, b], dim=1).to(_dtype_of(self.module, a)))
        return torch.sigmoid(answer).to(a)


RECONCILIATIONS: dict[str, Callable[[nn.Module | None, int], Weigh]] = {
    "average": lambda gate, seed: _average,
    "confidence": lambda gate, seed: _confidence,
    "gated": _Gate,
}


def untrained_gate(dim: int, seed: int = 0) -> nn.Linear:
    """A random Linear(2 · dim, 1) from a generator of its own: where every fit begins, and no better than chance."""
    gate = nn.Linear(2 * dim, 1, device="meta").to_empty(device="cpu")  # the global RNG stays as it is
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        gate.weight.normal_(std=(2 * dim) ** -0.5, generator=generator)
        gate.bias.zero_()
    return gate.requires_grad_(False)


def _dtype_of(module: nn.Module, otherwise: Tensor) -> torch.dtype:
    """A gate may have been fitted in another precision than the debate runs in; one without weights takes any."""
    first = next(module.parameters(), None)
    return otherwise.dtype if first is None else first.dtype
