"""nnsight: traces, `tracer.stop()` where the answer is complete, and `.skip()` with a residual kept from before.

The body of a trace must be written out where it stands: nnsight reads it from this file.
"""

from __future__ import annotations

from typing import Any, ClassVar

import nnsight
import torch
from nnsight.modeling.transformers import TransformersModel
from torch import Tensor
from transformers import AutoTokenizer

from ..anatomy import attention_name, eager
from ..numbers import numbers, table
from ..player import Answer, Player, Remarks, Work, greedy, host, margin, patched_rows, rows


class NNsight(Player):
    packages = ("nnsight",)
    remarks: ClassVar[Remarks] = {
        "idle": "trace(..., trace=False)",
        "slider": "skips the layers up to the edited one with a residual kept from an earlier trace",
        "sweep": "the scales as rows of one batch, the layers before skipped",
        "patch_grid": "a layer's cells as rows of one batch, the layers before skipped",
        "patterns": "eager attention",
    }

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.traced = TransformersModel(model, tokenizer=AutoTokenizer.from_pretrained(model.config.name_or_path))
        gpt2 = model.config.model_type == "gpt2"
        self.layers = self.traced.transformer.h if gpt2 else self.traced.model.layers
        self.depth = model.config.num_hidden_layers

    def statistics(self, ids: Tensor) -> Work:
        traced, layers, depth = self.traced, self.layers, self.depth

        def work() -> Answer:
            with traced.trace(ids, use_cache=False) as tracer:
                found = nnsight.save(table([numbers(layers[index].output) for index in range(depth)]))
                tracer.stop()
            return (found,)

        return work

    def statistics_and_logits(self, ids: Tensor) -> Work:
        traced, layers, depth = self.traced, self.layers, self.depth

        def work() -> Answer:
            with traced.trace(ids, use_cache=False):
                found = nnsight.save(table([numbers(layers[index].output) for index in range(depth)]))
                logits = nnsight.save(traced.output.logits)
            return found, logits

        return work

    def layer(self, ids: Tensor, index: int) -> Work:
        return lambda: (self._residual(ids, index),)

    def idle(self, ids: Tensor) -> Work:
        return lambda: (self.traced.trace(ids, use_cache=False, trace=False).logits,)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        kept = self._residual(ids, index)
        return lambda: host(self._from(ids, index, kept * scale))

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        kept = self._residual(ids, index)
        return lambda: host(self._from(rows(ids, scales), index, kept * scales.to(kept)[:, None, None]))

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        def work() -> Answer:
            states = [patched_rows(*both) for both in zip(self._entering(clean), self._entering(corrupt), strict=True)]
            every = corrupt.expand(len(states[0]), -1)
            first = self._into_first(every, states[0])
            others = [self._from(every, layer, state) for layer, state in enumerate(states[1:])]
            return host(torch.stack([margin(logits) for logits in (first, *others)]))

        return work

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        traced, layers, options = self.traced, self.layers, greedy(new)

        def work() -> Answer:
            with traced.generate(ids, **options) as tracer:
                for _ in tracer.iter[:new]:
                    for index in indices:
                        layers[index].output = layers[index].output * scale
                written = nnsight.save(tracer.result)
            return (written,)

        return work

    def patterns(self, ids: Tensor) -> Work:
        traced = self.traced
        attentions = [getattr(self.layers[index], attention_name(self.model)) for index in range(self.depth)]

        def work() -> Answer:
            with eager(self.model), traced.trace(ids, use_cache=False) as tracer:
                found = nnsight.save([attention.output[1] for attention in attentions])
                tracer.stop()
            return tuple(found)

        return work

    def _residual(self, ids: Tensor, index: int) -> Tensor:
        traced, layers = self.traced, self.layers
        with traced.trace(ids, use_cache=False) as tracer:
            hidden = nnsight.save(layers[index].output)
            tracer.stop()
        residual: Tensor = hidden
        return residual

    def _entering(self, ids: Tensor) -> list[Tensor]:
        """(seq, dim) for each layer."""
        traced, layers, depth = self.traced, self.layers, self.depth
        with traced.trace(ids, use_cache=False) as tracer:
            found = nnsight.save([layers[index].input for index in range(depth)])
            tracer.stop()
        return [hidden[0] for hidden in found]

    def _into_first(self, ids: Tensor, state: Tensor) -> Tensor:
        traced, layers = self.traced, self.layers
        with traced.trace(ids, use_cache=False, logits_to_keep=1):
            layers[0].input = state
            logits = nnsight.save(traced.output.logits)
        last: Tensor = logits[:, -1]
        return last

    def _from(self, ids: Tensor, index: int, residual: Tensor) -> Tensor:
        """Logits of the last token when `residual` leaves that layer."""
        traced, layers = self.traced, self.layers
        with traced.trace(ids, use_cache=False, logits_to_keep=1):
            for skipped in range(index + 1):
                layers[skipped].skip(residual)
            logits = nnsight.save(traced.output.logits)
        last: Tensor = logits[:, -1]
        return last


PLAYER = NNsight
