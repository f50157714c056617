"""Trial: a claim with what its runs came to, the verdict, and what every arm did beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from ..analyze.false_discovery import benjamini_hochberg
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn, Picture
from .claim import Arm, Claim, Role
from .contrast import difference
from .measure import ACCURACY, Measure
from .outcomes import Outcomes
from .rules.hurdle import Hurdle
from .rules.rule import measured
from .statistics.effect import Effect
from .trial_picture import drawn, picture
from .verdict import Verdict, claim_p, verdict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

HURDLE, OVER, RETAINED = "hurdle", "over the no-op", "retained"
Row = tuple[tuple[str, ...], tuple[object, ...]]
COLUMNS = ("role", "measure", "value", "low", "high", "p", "p_bh", "smallest", "n", "seeds", "ruling", "about")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Trial(Drawn):
    """Effects are differences of means over items and seeds, with 95 % intervals: over items a bootstrap, over seeds
    too where they differ, then with Student's reach. `smallest` is the effect that so many items and seeds would show
    4 times in 5. `others` are the p of claims that were tried together with this one.

    hurdle          what must be so for the claim to hold; p_bh is adjusted over the hurdles
    over the no-op  each arm less the untouched model, on the domains that the claim is about
    retained        the same in accuracy on every other domain
    """

    claim: Claim
    outcomes: Outcomes
    model_id: str
    seed: int = 0
    others: tuple[float, ...] = ()

    @cached_property
    def hurdles(self) -> tuple[Hurdle, ...]:
        return self.claim.rule.hurdles(self.outcomes, self._target, self.seed)

    @cached_property
    def verdict(self) -> Verdict:
        return verdict(self.hurdles, self.others)

    @cached_property
    def over(self) -> dict[str, Effect]:
        """By arm but the untouched one, by the measure of the rule."""
        return self._over(self.claim.rule.measure, self._target)

    @cached_property
    def retained(self) -> dict[tuple[str, str], Effect]:
        """By arm and domain that the claim is not about."""
        found = {domain: self._over(ACCURACY, self.outcomes.places([domain])) for domain in self.apart}
        return {(arm, domain): found[domain][arm] for arm in self._touched for domain in self.apart}

    @property
    def apart(self) -> tuple[str, ...]:
        """The domains that the claim is not about."""
        return tuple(one for one in self.outcomes.domains if self.claim.target and one not in self.claim.target)

    def mean(self, arm: str, measure: Measure = ACCURACY, domains: Sequence[str] = ()) -> float:
        """Over all seeds and items of these domains, or of those that the claim is about."""
        places = self.outcomes.places(domains) if domains else self._target
        return float(self.outcomes.of_measure(measure)[:, self.outcomes.arms.index(arm), places].mean())

    def frame(self) -> pd.DataFrame:
        """One row a hurdle, an arm, and an arm and domain to be retained; `about` says what an arm is, and
        `.outcomes.frame()` has all runs.
        """
        rows = [*self._hurdle_rows(), *self._over_rows(), *self._retained_rows()]
        return framed(("what", "name", "domain"), [key for key, _ in rows], COLUMNS, [row for _, row in rows])

    def plot(self, *, ax: Axes | None = None) -> Plot:
        """What every arm does to the untouched model, before the band in which placebos lie."""
        return Plot(*drawn(self, ax), self.frame)

    def picture(self) -> Picture:
        return picture(self)

    @property
    def _target(self) -> list[int]:
        return self.outcomes.places(self.claim.target or self.outcomes.domains)

    @property
    def _touched(self) -> tuple[str, ...]:
        return tuple(arm.name for arm in self.claim.arms if arm.name != self.claim.untouched)

    def _over(self, measure: Measure, places: Sequence[int]) -> dict[str, Effect]:
        pairs = [(measure, difference(arm, self.claim.untouched)) for arm in self._touched]
        found = measured(self.outcomes, pairs, places, self.seed) if pairs else []
        return dict(zip(self._touched, found, strict=True))

    def _hurdle_rows(self) -> Iterator[Row]:
        adjusted = _adjusted(one.p for one in self.hurdles)
        for one, p in zip(self.hurdles, adjusted, strict=True):
            yield (HURDLE, one.effect.said, ""), _row("", "", one.effect, p, ruling=one.ruling)

    def _over_rows(self) -> Iterator[Row]:
        adjusted, measure = _adjusted(one.p for one in self.over.values()), self.claim.rule.measure.name
        for (arm, one), p in zip(self.over.items(), adjusted, strict=True):
            yield (OVER, arm, ""), _row(self.role(arm).value, measure, one, p, about=self.about(arm))

    def _retained_rows(self) -> Iterator[Row]:
        adjusted = _adjusted(one.p for one in self.retained.values())
        for ((arm, domain), one), p in zip(self.retained.items(), adjusted, strict=True):
            yield (RETAINED, arm, domain), _row(self.role(arm).value, ACCURACY.name, one, p, about=self.about(arm))

    def role(self, name: str) -> Role:
        return self._arm(name).role

    def about(self, name: str) -> str:
        """What an arm is, in words."""
        return self._arm(name).about

    def _arm(self, name: str) -> Arm:
        return next(arm for arm in self.claim.arms if arm.name == name)


def as_family(trials: Sequence[Trial]) -> list[Trial]:
    """With the p of each adjusted over all of them."""
    ps = [claim_p(trial.hurdles) for trial in trials]
    return [replace(trial, others=tuple(ps[:place] + ps[place + 1 :])) for place, trial in enumerate(trials)]


def _adjusted(ps: Iterable[float]) -> list[float]:
    found: list[float] = benjamini_hochberg(torch.tensor([*ps], dtype=torch.float64)).tolist()
    return found


def _row(
    role: str, measure: str, one: Effect, adjusted: float, *, ruling: str = "", about: str = ""
) -> tuple[object, ...]:
    numbers = (one.value, one.low, one.high, one.p, adjusted, one.smallest, one.n, one.seeds)
    return role, measure, *numbers, ruling, about
