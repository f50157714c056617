"""The original model-garage: its HookManager for reading, its LayerInjector for edits."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from model_garage.core.hooks import HookManager
from model_garage.inject.layer import LayerInjector
from torch import Tensor

from ..anatomy import attention_name, eager, embedded, paths
from ..numbers import numbers, table
from ..player import Answer, Player, Remarks, Work, across, greedy, host, last, margin, patched_rows, rows, whole


class ModelGarage(Player):
    packages = ("model-garage",)
    remarks: ClassVar[Remarks] = {
        "statistics": "captures every layer, then computes; around the body",
        "statistics_and_logits": "captures every layer, then computes",
        "layer": "cannot stop: runs every layer",
        "slider": "runs every layer",
        "sweep": "the scales as rows of one batch; runs every layer",
        "patch_grid": "a layer's cells as rows of one batch; runs every layer",
        "patterns": "eager attention",
    }

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.layers = paths(model, inside=model)
        self.inner = paths(model, inside=model.base_model)
        self.injector = LayerInjector(model)

    def statistics(self, ids: Tensor) -> Work:
        def work() -> Answer:
            with HookManager(self.model.base_model) as hooks:
                captured = _capture(hooks, self.inner, lambda: self.model.base_model(ids, use_cache=False))[0]
                return (table([numbers(hidden) for hidden in captured]),)

        return work

    def statistics_and_logits(self, ids: Tensor) -> Work:
        def work() -> Answer:
            with HookManager(self.model) as hooks:
                captured, logits = _capture(hooks, self.layers, lambda: whole(self.model, ids))
                return table([numbers(hidden) for hidden in captured]), logits

        return work

    def layer(self, ids: Tensor, index: int) -> Work:
        def work() -> Answer:
            with HookManager(self.model.base_model) as hooks:
                run = _capture(hooks, [self.inner[index]], lambda: self.model.base_model(ids, use_cache=False))
                return tuple(run[0])

        return work

    def idle(self, ids: Tensor) -> Work:
        return lambda: (whole(self.injector.model, ids),)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        def work() -> Answer:
            with LayerInjector(self.model) as injector:
                injector.inject_scaling(self.layers[index], scale)
                return host(last(self.model, ids))

        return work

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        def work() -> Answer:
            with LayerInjector(self.model) as injector:
                injector.inject(self.layers[index], lambda hidden: across(scales, hidden))
                return host(last(self.model, rows(ids, scales)))

        return work

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        entered = [embedded(self.model), *self.layers[:-1]]

        def work() -> Answer:
            with HookManager(self.model) as hooks:
                states, _ = _capture(hooks, entered, lambda: last(self.model, clean))
            return host(torch.stack([self._patched(corrupt, *both) for both in zip(entered, states, strict=True)]))

        return work

    def _patched(self, ids: Tensor, path: str, clean: Tensor) -> Tensor:
        with LayerInjector(self.model) as injector:
            injector.inject(path, lambda hidden: patched_rows(clean[0], hidden[0]))
            return margin(last(self.model, ids.expand(ids.shape[1], -1)))

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        def work() -> Answer:
            with LayerInjector(self.model) as injector:
                for index in indices:
                    injector.inject_scaling(self.layers[index], scale)
                return (self.model.generate(ids, **greedy(new)),)

        return work

    def patterns(self, ids: Tensor) -> Work:
        attentions = [f"{layer}.{attention_name(self.model)}" for layer in self.inner]

        def work() -> Answer:
            found: list[Tensor] = []
            with eager(self.model), HookManager(self.model.base_model) as hooks:
                for path in attentions:
                    hooks.register_forward_hook(path, lambda module, args, output: found.append(output[1]), path)
                self.model.base_model(ids, use_cache=False)
            return tuple(found)

        return work


def _capture(hooks: Any, layers: list[str], run: Any) -> tuple[list[Tensor], Any]:
    """What left these layers, and what the run answered."""
    for layer in layers:
        hooks.register_capture_hook(layer, hook_name=layer)
    answer = run()
    return [hooks.get_captured(layer)["output"] for layer in layers], answer


PLAYER = ModelGarage
