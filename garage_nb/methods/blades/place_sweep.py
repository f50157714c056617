"""PlaceSweep: what one blade does at each of several places, on items to choose by, and where it does best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...errors import InputError
from ...inject.blades.blade import Blade
from ...view.bands import bands
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..contrast import difference
from ..measure import ACCURACY, LOG_PROB, Measure
from ..outcomes import Outcomes
from ..rules.rule import measured
from ..statistics.effect import Effect

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TARGET = "target"
LOSS = 0.05  # of accuracy on the other domains together, the most that a chosen blade may lose
SHOWN = 40
MEASURES = {one.name: one for one in (LOG_PROB, ACCURACY)}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PlaceSweep(Drawn):
    """`blades` are in the order of the places. `outcomes` has an arm a place beside the untouched target, on items of
    `domain` and on others that should stay as they are: all to choose by, none of them is tested by.
    """

    blades: tuple[Blade, ...]
    outcomes: Outcomes
    domain: str
    seed: int = 0

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(one.place for one in self.blades)

    @cached_property
    def gains(self) -> dict[str, Effect]:
        """By place: log-probability of the domain's answers over the untouched target's, nats."""
        return self.effects(LOG_PROB, [self.domain])

    @cached_property
    def kept(self) -> dict[str, Effect]:
        """By place: accuracy over the untouched target's on the other domains; empty where there is none."""
        return self.effects(ACCURACY, self.others) if self.others else {}

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(one for one in self.outcomes.domains if one != self.domain)

    @property
    def chosen(self) -> Blade:
        """The one with the largest gain, of those that lose little elsewhere; of all where every one loses more."""
        fair = [one for one in self.blades if self.keeps(one.place)]
        return max(fair or self.blades, key=lambda one: self.gains[one.place].value)

    def keeps(self, place: str) -> bool:
        return place not in self.kept or self.kept[place].value >= -LOSS

    def effects(self, measure: Measure, domains: Sequence[str]) -> dict[str, Effect]:
        pairs = [(measure, difference(place, TARGET)) for place in self.places]
        found = measured(self.outcomes, pairs, self.outcomes.places(domains), self.seed)
        return dict(zip(self.places, found, strict=True))

    def accuracy(self, place: str, domains: Sequence[str] = ()) -> float:
        """Of a place, or of the untouched target; on the domain unless others are named."""
        where = self.outcomes.places(domains or [self.domain])
        return float(self.outcomes.right[0, self.outcomes.arms.index(place), where].double().mean())

    def frame(self) -> pd.DataFrame:
        """One row a place; `.outcomes.frame()` has every item."""
        rows = [
            (one.alpha, self.accuracy(one.place), *_ends(self.gains[one.place]), *_ends(self.kept.get(one.place)),
             one is self.chosen)
            for one in self.blades
        ]  # fmt: skip
        heads = ["alpha", "accuracy", "gain", "low", "high", "kept", "kept_low", "kept_high", "is_chosen"]
        return framed("place", self.places, heads, rows)

    def plot(self, measure: str = LOG_PROB.name, ax: Axes | None = None) -> Plot:
        """Places from input to output, on the domain and on the others."""
        if measure not in MEASURES:
            raise InputError(f"A sweep has no {measure!r}.", f"There are: {', '.join(MEASURES)}.")
        what = MEASURES[measure]
        groups = {f"on {self.domain}": self._named(self.effects(what, [self.domain]))}
        if self.others:
            groups[f"on {_counted(self.others)}"] = self._named(self.effects(what, self.others))
        label = f"over the target: {what.defined}, 95 % intervals"
        said = f"{label}; {self.blades[0].kind} at {len(self.blades)} places of {self.outcomes.model_id}"
        return Plot(bands(groups, label, ax=ax), said, self.frame)

    def picture(self) -> Table:
        shown = self.places[:SHOWN]
        columns = [
            Column("alpha", [one.alpha for one in self.blades[:SHOWN]]),
            Column("accuracy", [self.accuracy(place) for place in shown]),
            Column("gain, nats", [self.gains[place].value for place in shown]),
            Column("95 % from", [self.gains[place].low for place in shown]),
            Column("to", [self.gains[place].high for place in shown]),
        ]
        if self.kept:
            columns.append(Column("others", [self.kept[place].value for place in shown]))
            columns.append(Column("from ", [self.kept[place].low for place in shown]))
            columns.append(Column("to ", [self.kept[place].high for place in shown]))
        columns.append(Column("", ["chosen" if place == self.chosen.place else "" for place in shown]))
        return Table(shown, columns, title=self._title, caption=self._caption)

    @property
    def _title(self) -> str:
        return f"{self.blades[0].kind} for {self.domain}, place by place"

    @property
    def _caption(self) -> str:
        untouched = f"untouched: accuracy {self.accuracy(TARGET):.3f}"
        if not self.others:
            return f"by {len(self.outcomes.items):,} items to choose by · {untouched}"
        is_fair = any(map(self.keeps, self.places))
        fair = "chosen among those that lose no more than" if is_fair else "every one loses over"
        more = f" · {len(self.places) - SHOWN:,} more in .frame()" if len(self.places) > SHOWN else ""
        return (
            f"by {len(self.outcomes.items):,} items to choose by · {untouched} · others: accuracy on"
            f" {_counted(self.others)}; {fair} {LOSS:g} of it{more}"
        )

    def _named(self, found: dict[str, Effect]) -> dict[str, Effect]:
        chosen = self.chosen.place
        return {f"{place}, chosen" if place == chosen else place: one for place, one in list(found.items())[:SHOWN]}


def _ends(one: Effect | None) -> tuple[float, float, float]:
    return (float("nan"),) * 3 if one is None else (one.value, one.low, one.high)


def _counted(domains: Sequence[str]) -> str:
    return domains[0] if len(domains) == 1 else f"{len(domains)} other domains"
