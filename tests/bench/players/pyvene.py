"""pyvene: interventions that are functions of all that leaves a block; around the body where no logits are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pyvene
import torch
from torch import Tensor

from ..numbers import numbers, table
from ..player import Answer, CannotError, Player, Remarks, Work, across, greedy, host, margin, patched_rows, rows

Edit = Callable[[Tensor, Any], Tensor | None]


class Pyvene(Player):
    packages = ("pyvene",)
    remarks: ClassVar[Remarks] = {
        "layer": "cannot stop: runs every layer",
        "slider": "runs every layer",
        "sweep": "the scales as rows of one batch; runs every layer",
        "patch_grid": "a layer's cells as rows of one batch; runs every layer",
    }

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.held = pyvene.IntervenableModel([], model)
        self.layers = range(model.config.num_hidden_layers)

    def statistics(self, ids: Tensor) -> Work:
        return self._statistics(ids, self.model.base_model, lambda output: ())

    def statistics_and_logits(self, ids: Tensor) -> Work:
        return self._statistics(ids, self.model, lambda output: (output.logits,))

    def layer(self, ids: Tensor, index: int) -> Work:
        found: list[Tensor] = []
        reading = _with(self.model.base_model, [index], lambda hidden, source: found.append(hidden))

        def work() -> Answer:
            found.clear()
            _counterfactual(reading, ids)
            return tuple(found)

        return work

    def idle(self, ids: Tensor) -> Work:
        return lambda: (self.held({"input_ids": ids, "use_cache": False})[0].logits,)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        edited = _with(self.model, [index], lambda hidden, source: hidden * scale)
        return lambda: host(_last(edited, ids))

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        edited = _with(self.model, [index], lambda hidden, source: across(scales, hidden))
        return lambda: host(_last(edited, rows(ids, scales)))

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        states: list[Tensor] = []
        entering = "block_input"
        reading = _with(self.model, self.layers, lambda hidden, source: states.append(hidden[0]), entering)
        putting = [_with(self.model, [layer], _putting(states, layer), entering) for layer in self.layers]

        def work() -> Answer:
            states.clear()
            _last(reading, clean)
            every = corrupt.expand(corrupt.shape[1], -1)
            return host(torch.stack([margin(_last(one, every)) for one in putting]))

        return work

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        edited = _with(self.model, indices, lambda hidden, source: hidden * scale)
        base = {"input_ids": ids}
        return lambda: (edited.generate(base, intervene_on_prompt=True, unit_locations=None, **greedy(new))[1],)

    def patterns(self, ids: Tensor) -> Work:
        raise CannotError("its attention_weight point never fires (gpt2), or is not there (llama)")

    def _statistics(self, ids: Tensor, model: Any, besides: Callable[[Any], Answer]) -> Work:
        found: list[Tensor] = []
        reading = _with(model, self.layers, lambda hidden, source: found.append(numbers(hidden)))

        def work() -> Answer:
            found.clear()
            output = _counterfactual(reading, ids)
            return table(found), *besides(output)

        return work


def _putting(states: list[Tensor], layer: int) -> Edit:
    return lambda hidden, source: patched_rows(states[layer], hidden[0])


def _with(model: Any, layers: Any, edit: Edit, component: str = "block_output") -> Any:
    places = [{"layer": index, "component": component, "intervention": edit} for index in layers]
    return pyvene.IntervenableModel(places, model)


def _counterfactual(intervenable: Any, ids: Tensor, **options: Any) -> Any:
    return intervenable({"input_ids": ids, "use_cache": False, **options})[1]


def _last(intervenable: Any, ids: Tensor) -> Tensor:
    logits: Tensor = _counterfactual(intervenable, ids, logits_to_keep=1).logits
    return logits[:, -1]


PLAYER = Pyvene
