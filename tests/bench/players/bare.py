"""transformers with nothing: the yardstick, and what its own flags answer."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from ..anatomy import eager
from ..player import CannotError, Player, Remarks, Work, greedy, whole

NO_EDITS = "transformers has no edits"


class Bare(Player):
    remarks: ClassVar[Remarks] = {"layer": "runs every layer", "patterns": "output_attentions with eager attention"}

    def forward(self, ids: Tensor) -> Work:
        return lambda: (whole(self.model, ids),)

    def body(self, ids: Tensor) -> Work:
        """The forward without the vocabulary."""
        return lambda: (self.model.base_model(ids, use_cache=False)[0],)

    def forwards(self, ids: Tensor, times: int) -> Work:
        def work() -> tuple[Tensor, ...]:
            for _ in range(times):
                logits = whole(self.model, ids)
            return (logits,)

        return work

    def generation(self, ids: Tensor, new: int) -> Work:
        return lambda: (self.model.generate(ids, **greedy(new)),)

    def statistics(self, ids: Tensor) -> Work:
        raise CannotError("output_hidden_states gives the last layer only after the final norm")

    def statistics_and_logits(self, ids: Tensor) -> Work:
        return self.statistics(ids)

    def layer(self, ids: Tensor, index: int) -> Work:
        def work() -> Any:
            states = self.model.base_model(ids, use_cache=False, output_hidden_states=True).hidden_states
            return (states[index + 1],)

        return work

    def idle(self, ids: Tensor) -> Work:
        return self.forward(ids)

    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        raise CannotError(NO_EDITS)

    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        raise CannotError(NO_EDITS)

    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        raise CannotError(NO_EDITS)

    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        raise CannotError(NO_EDITS)

    def patterns(self, ids: Tensor) -> Work:
        def work() -> Any:
            with eager(self.model):
                return self.model.base_model(ids, use_cache=False, output_attentions=True).attentions

        return work


PLAYER = Bare
