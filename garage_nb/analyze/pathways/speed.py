"""Speed: how long a pass takes with all neurons, with some masked, and with these left out for real; timed in turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ...core.batch import Limits, prepare
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..judging.cost import Cost, costs
from ..judging.lineup import Lineup

PROMPT = 128  # tokens, or as many as the model was made for
MASKED, DENSE, SLICED = "masked", "dense", "sliced"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Of passes over so many tokens, without a cache: a prompt, or one token as every step of a generation reads it."""

    tokens: int
    costs: dict[str, Cost]

    def ratio(self, name: str) -> tuple[float, float, float]:
        """Its time by the dense model's, round by round: the median, the least and the largest."""
        return self.costs[name].ratio(self.costs[DENSE])

    def is_faster(self, name: str) -> bool:
        """Whether it was in every round."""
        return self.ratio(name)[2] < 1


def speeds(lifted: Lifted, masks: Recipe, model: Any) -> list[Speed]:
    """`model` is sliced of the one on the lift as `masks` say."""
    several = {MASKED: lifted, DENSE: replace(lifted), SLICED: replace(lifted, model=model)}
    return [_speed(Lineup(several, masks), tokens) for tokens in (_most(lifted), 1)]


def _speed(line: Lineup, tokens: int) -> Speed:
    ids = torch.arange(tokens) % Limits.of(line.lifted[DENSE].model).vocab
    batches = [prepare(ids, one.model) for one in line.lifted.values()]
    return Speed(tokens=tokens, costs=dict(zip(line.names, costs(line, batches), strict=True)))


def _most(lifted: Lifted) -> int:
    return min(PROMPT, Limits.of(lifted.model).positions or PROMPT)
