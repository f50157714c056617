"""Slimmed: a smaller model, what went and by which texts, and what it is worth beside the one it came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from ...analyze.bootstrap import bootstrap
from ...analyze.judging.evaluation import Evaluation
from ...analyze.judging.findings import by_domain
from ...analyze.judging.redrawn import Estimate
from ...compose.assembly.delivery import Delivery
from ...view.frames import framed
from ...view.stacked import Stacked
from .ground import Step

if TYPE_CHECKING:
    import pandas as pd

BEFORE = "as it was"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Change:
    """Of one domain of the test texts and items, `after` less `before`. Losses in nats per token; NaN without any."""

    before: float
    after: float
    change: Estimate
    random: tuple[float, ...]  # the change of each random removal


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Slimmed(Delivery):
    """`steps` are what was tried, on so many choosing and validation texts (`read`); `evaluation` is the one look at
    the test texts and items: the smaller model beside the one it came from, and `random` removals of the same size.
    """

    model_id: str
    loss: float
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    read: tuple[int, int]
    random: tuple[str, ...]
    evaluation: Evaluation
    seed: int

    @property
    def out(self) -> tuple[str, ...]:
        """What went: layers by their names in the model it came from, and of neurons the largest number."""
        allowed = [step.out for step in self.steps if step.allowed]
        layers = [said for said in allowed if said.startswith("layer_")]
        return (*layers, *[said for said in allowed if said not in layers][-1:])

    @cached_property
    def losses(self) -> dict[str, Change]:
        """By domain, all together first; intervals are bootstraps over test texts, in pairs, 95 %."""
        marks = self.evaluation.texts
        assert marks is not None
        found = {}
        for domain, places in by_domain(marks.domains).items():
            at = torch.tensor(places)
            losses, tokens = marks.losses[:, at], marks.tokens[0, at]
            means = (losses.sum(1) / tokens.sum()).tolist()
            sure = bootstrap((losses[0] - losses[1])[:, None], sizes=tokens, seed=self.seed)
            change = Estimate(*(float(end) for end in vars(sure).values()))
            others = tuple(means[place] - means[1] for place in self._random)
            found[domain] = Change(before=means[1], after=means[0], change=change, random=others)
        return found

    @cached_property
    def accuracies(self) -> dict[str, Change]:
        """By domain; intervals of the change are Bonett and Price's. Empty without items."""
        marks = self.evaluation.items
        if marks is None:
            return {}
        names = self.evaluation.names
        after, before, others = names[0], names[1], [names[place] for place in self._random]
        found = {}
        for domain in by_domain(marks.domains):
            one = self.evaluation.of("accuracy", before, domain)
            was = one.estimate.value
            values = [self.evaluation.of("accuracy", name, domain).estimate.value for name in (after, *others)]
            rest = tuple(value - was for value in values[1:])
            found[domain] = Change(before=was, after=values[0], change=one.change, random=rest)
        return found

    @property
    def within(self) -> bool:
        """Whether the test texts, too, are sure to be within the price: the upper end of their interval."""
        return next(iter(self.losses.values())).change.high <= self.loss

    @property
    def _random(self) -> list[int]:
        """Places of the random removals among the models judged. Beside them there may be an ensemble."""
        return [place for place, name in enumerate(self.evaluation.names) if place > 1 and name in self.random]

    def frame(self) -> pd.DataFrame:
        """One row a measure and domain of the test: loss in nats per token, accuracy in shares of items."""
        both = {"loss": self.losses, "accuracy": self.accuracies}
        cells = {(measure, domain): one for measure, found in both.items() for domain, one in found.items()}
        rows = [
            (one.before, one.after, one.change.value, one.change.low, one.change.high, *_ends(one.random))
            for one in cells.values()
        ]
        heads = ["before", "after", "change", "low", "high", "random", "random_least", "random_most"]
        return framed(("measure", "domain"), list(cells), heads, rows)

    def tried(self) -> pd.DataFrame:
        """One row a step: its change of loss on the choosing and the validation texts, and whether it was allowed."""
        rows = [(step.choosing, *vars(step.validation).values(), step.allowed) for step in self.steps]
        return framed(
            "out", [step.out for step in self.steps], ["choosing", "validation", "low", "high", "allowed"], rows
        )

    def picture(self) -> Stacked:
        from .slimmed_table import pictures

        return Stacked(pictures(self))


def _ends(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Mean, least, most."""
    return sum(values) / len(values), min(values), max(values)
