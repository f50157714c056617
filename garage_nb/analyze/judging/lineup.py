"""Line-up: the judged model and those it is held against, asked the same side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.run import logits
from ...core.sites import Write
from ...core.vocabulary import vocab_size
from ...errors import InputError
from ...inject.recipe import Recipe
from ...registry.lift import Lifted

ENSEMBLE = "ensemble"


@dataclass(frozen=True, eq=False)
class Lineup:
    """`lifted` by name, the judged model first, with the recipe in force; the others as they are.

    `averaged` are those of an ensemble, which stands last in every answer: the mean of their logits, for the price of
    each of them. Empty where there is none.
    """

    lifted: Mapping[str, Lifted]
    recipe: Recipe
    averaged: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.lifted, _unlike(ENSEMBLE, "of logits", self.lifted)) if self.averaged else tuple(self.lifted)

    @property
    def members(self) -> list[list[Lifted]]:
        """Whose passes each of `names` takes."""
        alone = [[one] for one in self.lifted.values()]
        return [*alone, [self.lifted[name] for name in self.averaged]] if self.averaged else alone

    @property
    def readers(self) -> list[int]:
        """Whose tokens each of `names` reads, as a place in `lifted`."""
        places = list(range(len(self.lifted)))
        return [*places, list(self.lifted).index(self.averaged[0])] if self.averaged else places

    def taps(self, place: int) -> Sequence[Write]:
        """For one pass of a model; fresh ones each time, for an edit may count its draws."""
        one = list(self.lifted.values())[place]
        return self.recipe.taps(one.spec) if place == 0 else ()

    def logits(self, batches: Sequence[Batch]) -> list[Float[Tensor, "rows seq vocab"]]:
        """Of each of `names`; one batch a model, in their order."""
        pairs = enumerate(zip(self.lifted.values(), batches, strict=True))
        found = [logits(one.model, batch, self.taps(place)) for place, (one, batch) in pairs]
        if not self.averaged:
            return found
        several = [found[list(self.lifted).index(name)] for name in self.averaged]
        return [*found, torch.stack([one.to(several[0].device) for one in several]).mean(0)]


def lineup(judged: Lifted, against: Mapping[str, Lifted], recipe: Recipe) -> Lineup:
    """InputError where there is none to judge against."""
    if not against:
        raise InputError("There is nothing to judge by.", "Give one model or more that it is held against.")
    lifted = {_unlike(judged.spec.model_id, "judged", against): judged, **against}
    return Lineup(lifted, recipe)


def apart(a: Lifted, b: Lifted) -> str:
    """Why the tokens of two models are not the same ones, empty where they are."""
    sizes = vocab_size(a.model), vocab_size(b.model)
    if sizes[0] != sizes[1]:
        return f"their vocabularies have {sizes[0]:,} and {sizes[1]:,} entries"
    known = [one.spec.extra_info.get("tokenizer") for one in (a, b)]
    return "their tokenizers number tokens differently" if None not in known and known[0] != known[1] else ""


def _unlike(name: str, mark: str, others: Mapping[str, Lifted]) -> str:
    """A name that none of the others has."""
    while name in others:
        name = f"{name}, {mark}"
    return name
