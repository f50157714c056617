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
from ...core.regression import Sums, added
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
    sums: dict[str, Sums] = {}
    sites = {name: lifted.spec.site(name) for name in layers}
    for batch in batches:
        done = whole(lifted.model, batch, lifted.spec.chain, edits, sites.values())
        end = exact(leaving(done.ends[str(lifted.spec.chain.links[-1].stack)]))
        for name, site in sites.items():
            sums[name] = _added(sums.get(name), name, exact(done.hidden[site]), end)
    return Translators(lifted.spec.model_id, tokens, {name: _map(found) for name, found in sums.items()})


def _map(sums: Sums) -> tuple[Tensor, Tensor]:
    """Weight and bias. A direction that no token has is left as it is."""
    way = sums.solved(RIDGE)
    return torch.eye(len(way.weight), dtype=way.weight.dtype, device=way.weight.device) + way.weight, way.bias


def _added(sums: Sums | None, name: str, hidden: Tensor, end: Tensor) -> Sums:
    """Of the hidden states and of the way that they still have to go."""
    if hidden.shape != end.shape:
        raise UnsupportedModelError(
            f"{name} is {tuple(hidden.shape)} where the last block leaves {tuple(end.shape)}.",
            "Only what is like that can be translated.",
        )
    x, way = hidden.flatten(0, -2), (end - hidden).flatten(0, -2)
    if not bool(x.isfinite().all() and way.isfinite().all()):
        raise NotFiniteError(f"{name} holds NaN or infinity.", "Take the last edit back, or load in float32.")
    return added(sums, x, way)
