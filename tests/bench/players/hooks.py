"""Plain torch hooks, the best a careful user would write by hand. Its answers are the reference for everyone's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..anatomy import attention_name, blocks, eager
from ..numbers import numbers, table
from ..player import Answer, Player, Remarks, Work, across, greedy, host, last, margin, rows, whole

Hook = Callable[..., Any]


class _Stop(Exception):
    """Thrown from the last hook needed."""


@contextmanager
def hooked(modules: Iterable[Any], hook: Hook) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def entering(modules: Iterable[Any], change: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """`change` is given what enters a module, and may answer what takes its place."""

    def hook(module: Any, args: Any) -> Any:
        found = change(args[0])
        return None if found is None else (found, *args[1:])

    handles = [module.register_forward_pre_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class Hooks(Player):
    remarks: ClassVar[Remarks] = {
        "slider": "runs every layer",
        "sweep": "the scales as rows of one batch; runs every layer",
        "patch_grid": "one forward a cell",
        "patterns": "eager attention",
    }

    def statistics(self, ids: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            with self._reading(found):
                self.model.base_model(ids, use_cache=False)
            return (table(found),)

        return work

    def statistics_and_logits(self, ids: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            with self._reading(found):
                logits = whole(self.model, ids)
            return table(found), logits

        return work

    def layer(self, ids: Tensor, index: int) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []

            def take(module: Any, args: Any, output: Tensor) -> None:
                found.append(output)
                raise _Stop

            with hooked([blocks(self.model)[index]], take), suppress(_Stop):
                self.model.base_model(ids, use_cache=False)
            return tuple(found)

        return work

    def idle(self, ids: Tensor) -> Work:
        return lambda: (whole(self.model, ids),)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        def work() -> Answer:
            with hooked([blocks(self.model)[index]], lambda module, args, output: output * scale):
                return (last(self.model, ids).cpu(),)

        return work

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        def work() -> Answer:
            with hooked([blocks(self.model)[index]], lambda module, args, output: across(scales, output)):
                return (last(self.model, rows(ids, scales)).cpu(),)

        return work

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        def work() -> Answer:
            found: list[Tensor] = []
            with entering(blocks(self.model), lambda hidden: found.append(hidden[0])):
                last(self.model, clean)
            cells = [
                self._patched(corrupt, *place) for place in itertools.product(enumerate(found), range(len(found[0])))
            ]
            return host(torch.stack(cells).reshape(len(found), -1))

        return work

    def _patched(self, ids: Tensor, state: tuple[int, Tensor], at: int) -> Tensor:
        layer, clean = state

        def put(hidden: Tensor) -> Tensor:
            patched = hidden.clone()
            patched[0, at] = clean[at]
            return patched

        with entering([blocks(self.model)[layer]], put):
            return margin(last(self.model, ids))[0]

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        def work() -> Answer:
            edited = [blocks(self.model)[index] for index in indices]
            with hooked(edited, lambda module, args, output: output * scale):
                return (self.model.generate(ids, **greedy(new)),)

        return work

    def patterns(self, ids: Tensor) -> Work:
        attentions = [getattr(block, attention_name(self.model)) for block in blocks(self.model)]

        def work() -> Answer:
            found: list[Tensor] = []
            with eager(self.model), hooked(attentions, lambda module, args, output: found.append(output[1])):
                self.model.base_model(ids, use_cache=False)
            return tuple(found)

        return work

    def _reading(self, found: list[Tensor]) -> Any:
        return hooked(blocks(self.model), lambda module, args, output: found.append(numbers(output)))


PLAYER = Hooks
