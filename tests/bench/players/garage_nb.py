"""garage_nb, through its engine."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from garage_nb.analyze.causal.patching import patching
from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.kept import shelf_of
from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read
from garage_nb.core.stats import reduce
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.sweep import swept
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.lift import lift
from garage_nb.snapshot.capture import SnapshotCapture
from garage_nb.snapshot.snapshots import Snapshots

from ..player import Answer, Player, Remarks, Work, greedy, margin, whole

SHOWN = ("mean", "std", "norm", "sparsity")


class GarageNB(Player):
    remarks: ClassVar[Remarks] = {
        "slider": "blocks up to the edit are answered with what was kept",
        "sweep": "the scales as rows of one batch, over blocks that run once",
        "patch_grid": "cells as rows of a batch over the blocks behind the patch",
        "generate": "the prompt's blocks below the first edit are kept from run to run",
        "patterns": "computed beside the model's own kernel",
    }

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.spec, self.camera = spec_of(model), SnapshotCapture(model)
        self.layers = [f"layer_{index}" for index in range(model.config.num_hidden_layers)]

    def statistics(self, ids: Tensor) -> Work:
        return lambda: (_numbers(self.camera.run(ids, self.layers, statistics=SHOWN)),)

    def statistics_and_logits(self, ids: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            taps = [
                Read(self.spec.site(layer), lambda hidden: found.append(reduce(hidden[0], names=SHOWN)))
                for layer in self.layers
            ]
            answer = logits(self.model, prepare(ids, self.model), taps)
            return torch.stack(found).cpu(), answer

        return work

    def layer(self, ids: Tensor, index: int) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            read(self.model, prepare(ids, self.model), [Read(self.spec.site(f"layer_{index}"), found.append)])
            return tuple(found)

        return work

    def idle(self, ids: Tensor) -> Work:
        held = LayerInjector(self.model)
        return lambda: (whole(held.model, ids),)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        batch = prepare(ids, self.model)

        def work() -> Answer:
            taps = Recipe((Scale(f"layer_{index}", scale),)).taps(self.spec)
            return (logits(self.model, batch, taps, last=1, chain=self.spec.chain)[:, -1].cpu(),)

        return work

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        recipes = [Recipe((Scale(f"layer_{index}", float(scale)),)) for scale in scales]

        def work() -> Answer:
            shelf_of(self.model).clear()  # a sweep pays for the blocks its variants share
            batch = prepare(ids, self.model)
            return (torch.cat(list(swept(self.model, self.spec, batch, recipes))).cpu(),)

        return work

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        lifted = lift(self.model)
        places = ["layer_0.before", *self.layers[:-1]]

        def work() -> Answer:
            shelf_of(self.model).clear()
            return (patching(lifted, clean, corrupt, Recipe(), places, metric=margin).shown,)

        return work

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        def work() -> Answer:
            recipe = Recipe(tuple(Scale(f"layer_{index}", scale) for index in indices))
            batch = prepare(ids, self.model)
            return (generate(self.model, batch, recipe.taps(self.spec), chain=self.spec.chain, **greedy(new)),)

        return work

    def patterns(self, ids: Tensor) -> Work:
        sites = [self.spec.site(f"attention_{index}.pattern") for index in range(len(self.layers))]

        def work() -> Answer:
            found: list[Tensor] = []
            read(self.model, prepare(ids, self.model), [Read(site, found.append) for site in sites])
            return tuple(found)

        return work


def _numbers(snapshots: Snapshots) -> Tensor:
    return torch.tensor([snapshots.values_of(name) for name in SHOWN]).T


PLAYER = GarageNB
