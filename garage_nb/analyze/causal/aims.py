"""Aims: which tokens a metric is about, for one prompt after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..texts.prompt import Words
from .metrics import Goal, Metric, label_of, metric_of


def aim(asked: str | int | None, logits: Float[Tensor, " vocab"], words: Words) -> int:
    """A token's id: of one that was named, or the likeliest. InputError for what is no token."""
    if asked is None:
        return int(logits.argmax())
    found = words.number(asked) if isinstance(asked, str) else int(asked)
    if not 0 <= found < len(logits):
        raise InputError(f"There is no token {found}.", f"This model has 0 to {len(logits) - 1:,}.")
    return found


@dataclass(frozen=True)
class Question:
    """What is asked of several prompts. Target and foil are one for all of them, or one for each; None is what a prompt
    itself makes likeliest, and likeliest but for the target.
    """

    metric: Any
    target: Any = None
    foil: Any = None

    def demand_one_each(self, prompts: int) -> None:
        """InputError for a list of tokens that is not as long as that of the prompts."""
        for name in ("target", "foil"):
            given = getattr(self, name)
            if _is_many(given) and len(given) != prompts:
                raise InputError(
                    f"{len(given)} {name}s were given for {prompts} prompts.", "Give one for all of them, or one each."
                )

    def of(self, place: int, logits: Float[Tensor, " vocab"], words: Words) -> Metric:
        """The metric of one prompt, by what the model answers to it untouched."""
        target = aim(_nth(self.target, place), logits, words)
        others = logits.index_fill(0, torch.tensor([target], device=logits.device), -torch.inf)
        goal = Goal(target, aim(_nth(self.foil, place), others, words), logits)
        target_text, foil_text = words.of([goal.target, goal.foil])
        return metric_of(self.metric, goal, target_text, foil_text, "untouched")

    def between(
        self, place: int, clean: Float[Tensor, " vocab"], corrupt: Float[Tensor, " vocab"], words: Words
    ) -> Metric:
        """The metric of a pair of prompts. A target left out is what the clean run makes likeliest, a foil what the
        corrupt one does.
        """
        target, foil = aim(_nth(self.target, place), clean, words), aim(_nth(self.foil, place), corrupt, words)
        return metric_of(self.metric, Goal(target, foil, clean), *words.of([target, foil]))

    def label(self, metrics: Sequence[Metric], start: str = "untouched") -> str:
        """What they all say, or what they have in common. `start` is the run that a divergence is counted from."""
        labels = {metric.label for metric in metrics}
        return labels.pop() if len(labels) == 1 else label_of(self.metric, start)


def _is_many(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str)


def _nth(given: Any, place: int) -> Any:
    return given[place] if _is_many(given) else given
