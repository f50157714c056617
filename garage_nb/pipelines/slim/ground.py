"""Ground: the model as it is, the texts that choose what goes and those that decide how far, and the price allowed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...analyze.bootstrap import bootstrap
from ...analyze.judging.paper import Marks, Paper, Taps
from ...analyze.judging.redrawn import Estimate
from ...registry.lift import Lifted


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """`loss` is how many nats per token the upper end of the interval over validation texts may rise by."""

    lifted: Lifted
    choosing: Paper
    validation: Paper
    loss: float
    seed: int

    def chooses(self, model: Any, taps: Taps = tuple) -> float:
        """The change of loss on the choosing texts, nats per token: what candidates are ranked by."""
        change = self.choosing.marks(model, taps).losses - self._chosen.losses
        return float(change.sum() / self.choosing.tokens.sum())

    def decides(self, model: Any, taps: Taps = tuple) -> Estimate:
        """The same on the validation texts, with a 95 % interval: a bootstrap over texts, in pairs."""
        change = self.validation.marks(model, taps).losses - self._validated.losses
        found = bootstrap(change[:, None], sizes=self.validation.tokens, seed=self.seed)
        return Estimate(*(float(end) for end in vars(found).values()))

    def allows(self, change: Estimate) -> bool:
        """By the upper end, so that what is only likely to be within the price is not taken for it."""
        return change.high <= self.loss

    @cached_property
    def _chosen(self) -> Marks:
        return self.choosing.marks(self.lifted.model)

    @cached_property
    def _validated(self) -> Marks:
        return self.validation.marks(self.lifted.model)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What was tried to be taken out, beside all before it. Changes are against the model as it was."""

    out: str
    choosing: float
    validation: Estimate
    allowed: bool
