"""A model that was opened, and how it is asked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from garage_nb.core.batch import Batch
from garage_nb.core.calling import answer, asked
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read, Site
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.specs import ModelSpec, PartType

from .zoo import inputs

ADDED = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FFN)
TOLERANCE = 1e-4


class Opened:
    """A model, its spec and the batch it is checked with."""

    def __init__(self, model: Any, spec: ModelSpec) -> None:
        self.model, self.spec = model, spec
        given = inputs(model)
        ids = given.pop("input_ids")
        self.batch = Batch(ids, torch.ones_like(ids), **given)
        self.bare = self.called()

    def called(self) -> Tensor:
        with torch.no_grad():
            return answer(asked(self.model, self.batch, use_cache=False)())

    @property
    def deterministic(self) -> bool:
        return torch.equal(self.called(), self.bare)

    def under(self, *edits: Scale) -> Tensor:
        return logits(self.model, self.batch, Recipe(edits).taps(self.spec))

    def hidden(self, *sites: Site) -> list[Tensor]:
        kept: dict[int, Tensor] = {}
        taps = [
            Read(site, lambda hidden, place=place: kept.__setitem__(place, hidden.clone()))
            for place, site in enumerate(sites)
        ]  # type: ignore[misc]
        read(self.model, self.batch, taps)
        return [kept[place] for place in range(len(sites))]

    def layers(self) -> list[str]:
        """Those that run, bottom to top."""
        return self.spec.available(PartType.FULL_LAYER)

    def added(self, layer: str) -> list[str]:
        """The halves of one block."""
        whole = self.spec.parts[layer]
        encoder = layer.startswith("encoder_")
        return [
            name
            for name, part in self.spec.parts.items()
            if part.part_type in ADDED and part.layer_idx == whole.layer_idx and name.startswith("encoder_") == encoder
        ]
