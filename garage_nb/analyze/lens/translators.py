"""Translators: an affine map from each layer's hidden states to those that leave the last block, for the tuned lens.

The lens of Belrose et al., "Eliciting Latent Predictions from Transformers with the Tuned Lens" (2023). They fit the
maps by gradient descent on the KL of the prediction; here it is least squares on the hidden states, which has one
answer, needs no step size, and minimises another thing: what fits the states best need not predict best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core import room
from ...core.batch import Prompt
from ...core.sites import Tap, leaving
from ...core.stats import exact
from ...core.tail import whole
from ...errors import InputError, NotFiniteError, UnsupportedModelError, shortened
from ...registry.lift import Lifted
from ..texts.prompt import read_ids
from ..texts.prompts import each_prompt

RIDGE = 1e-3  # of the mean variance of a dimension, on how far a map is from doing nothing
BUDGET = 1 << 31  # bytes of sums and maps


@dataclass(frozen=True, eq=False)
class Translators:
    """By layer a `weight` (dim, dim) and a `bias` (dim,), float64: hidden @ weight + bias is what it becomes.

    That of the last layer is the identity. `tokens` is how many they were fitted on.
    """

    model_id: str
    tokens: int
    maps: dict[str, tuple[Float[Tensor, "dim dim"], Float[Tensor, " dim"]]]

    def of(self, layer: str, hidden: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """In the dtype of `hidden`."""
        x = exact(hidden)
        weight, bias = (one.to(x) for one in self.maps[layer])
        return (x @ weight + bias).to(hidden)

    def demand(self, model_id: str, layers: Sequence[str]) -> None:
        """InputError where they are another model's, or a layer was left out."""
        missing = [name for name in layers if name not in self.maps]
        if self.model_id != model_id:
            raise InputError(f"These maps are of {self.model_id}, not of {model_id}.", "Give texts to fit some on.")
        if missing:
            raise InputError(
                f"No map was fitted for {shortened(missing)}.", f"There are: {shortened(list(self.maps), 12)}."
            )


def translators(lifted: Lifted, texts: Prompt, edits: Sequence[Tap], layers: Sequence[str]) -> Translators:
    """Ridge least squares in float64 over every token of the texts, padding left out, with the edits in force.

    The texts pass one by one; what stays is the sums, 16 bytes a layer and pair of dimensions. InputError for fewer
    tokens than a map has rows, which are dimensions and a bias: any such fit would be exact and mean nothing.
    """
    width, batches = lifted.spec.hidden_dim, each_prompt(texts, lifted)
    tokens = sum(len(read_ids(batch)) for batch in batches)
    if tokens <= width:
        raise InputError(
            f"{tokens:,} tokens are too few to fit maps of {width:,} dimensions.",
            f"Give texts of more than {width:,} tokens, ten times as many as a rule.",
        )
    need = len(layers) * 4 * 8 * width * width
    what = f"Maps of {len(layers)} layers of {width:,} dimensions"
    room.demand_room(what, need, BUDGET, "Name fewer layers, such as 0,6,-1.")
    sums: dict[str, _Sums] = {}
    sites = {name: lifted.spec.site(name) for name in layers}
    for batch in batches:
        done = whole(lifted.model, batch, lifted.spec.chain, edits, sites.values())
        end = exact(leaving(done.ends[str(lifted.spec.chain.links[-1].stack)]))
        for name, site in sites.items():
            sums[name] = _added(sums.get(name), name, exact(done.hidden[site]), end)
    return Translators(lifted.spec.model_id, tokens, {name: found.solved() for name, found in sums.items()})


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of x and of the way y − x that it still has to go, taken off `about`, their means in the first text, so that
    large means cost no digits.
    """

    about: tuple[Tensor, Tensor]
    count: int
    means: tuple[Tensor, Tensor]
    squares: Tensor
    products: Tensor

    def solved(self) -> tuple[Tensor, Tensor]:
        """Weight and bias. A direction that no token has is left as it is."""
        (x, way), count = self.means, self.count
        squares = self.squares / count - x.outer(x) / count**2
        products = self.products / count - x.outer(way) / count**2
        one = torch.eye(len(x), dtype=x.dtype, device=x.device)
        ridge = RIDGE * squares.diagonal().mean().clamp(min=torch.finfo(x.dtype).tiny)
        change = torch.linalg.solve(squares + ridge * one, products)
        mean_x, mean_way = (about + mean / count for about, mean in zip(self.about, self.means, strict=True))
        return one + change, mean_way - mean_x @ change


def _added(sums: _Sums | None, name: str, hidden: Tensor, end: Tensor) -> _Sums:
    if hidden.shape != end.shape:
        raise UnsupportedModelError(
            f"{name} is {tuple(hidden.shape)} where the last block leaves {tuple(end.shape)}.",
            "Only what is like that can be translated.",
        )
    x, way = hidden.flatten(0, -2), (end - hidden).flatten(0, -2)
    if not bool(x.isfinite().all() and way.isfinite().all()):
        raise NotFiniteError(f"{name} holds NaN or infinity.", "Take the last edit back, or load in float32.")
    before = sums or _nothing(x.mean(0), way.mean(0))
    x, way = x - before.about[0], way - before.about[1]
    return _Sums(
        before.about,
        before.count + len(x),
        (before.means[0] + x.sum(0), before.means[1] + way.sum(0)),
        before.squares + x.T @ x,
        before.products + x.T @ way,
    )


def _nothing(x: Tensor, way: Tensor) -> _Sums:
    none = x.new_zeros(len(x), len(x))
    return _Sums((x, way), 0, (torch.zeros_like(x), torch.zeros_like(way)), none, none)
