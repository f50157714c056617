"""Specialised: which blades were tried for a domain, which one was chosen, and what it is worth beside rivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...inject.blades.blade import Blade
from ...methods.blades.arms import BLADE
from ...methods.blades.blade_card import BladeCard
from ...methods.blades.place_sweep import LOSS, PlaceSweep
from ...methods.blades.rivals import BEATEN, BEATS, OPEN, cheaper, elsewhere, rivals
from ...methods.measure import LOG_PROB
from ...methods.trial import Trial
from ...methods.verdict import HOLDS
from ...view.bands import bands
from ...view.bars import Column, Table
from ...view.cards import Card
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn, Picture
from ...view.stacked import Stacked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Specialised(Drawn):
    """`sweeps` by kind, on items to choose by; `left_out` says of a kind why it could not be made. `card` is that of
    the chosen blade, with its evidence of items that nothing was chosen by.
    """

    sweeps: Mapping[str, PlaceSweep]
    left_out: Mapping[str, str]
    card: BladeCard

    @property
    def blade(self) -> Blade:
        return self.card.blade

    @property
    def trial(self) -> Trial:
        assert self.card.trial is not None
        return self.card.trial

    @property
    def said(self) -> str:
        """Whether the blade is worth it, in words."""
        return " ".join([self._placebos, self._rivals, self._cheaper]).strip()

    def frame(self) -> pd.DataFrame:
        """One row a kind and place that was tried, by items to choose by; `.card.frame()` has the evidence."""
        found = [(kind, *row) for kind, sweep in self.sweeps.items() for row in sweep.frame().itertuples()]
        heads = list(next(iter(self.sweeps.values())).frame().columns)
        rows = [(*row[2:-1], self._is_chosen(kind, place)) for row in found for kind, place in [row[:2]]]
        return framed(("kind", "place"), [row[:2] for row in found], heads, rows)

    def plot(self, *, ax: Axes | None = None) -> Plot:
        """What each kind gained at each place, on items to choose by."""
        groups = {
            kind: {self._named(kind, place): one for place, one in sweep.gains.items()}
            for kind, sweep in self.sweeps.items()
        }
        label = f"over the target: {LOG_PROB.defined}, 95 % intervals"
        said = f"{label}; {len(groups)} kinds of blade for {self._domain}, chosen: {self.blade}"
        return Plot(bands(groups, label, ax=ax), said, self.frame)

    def picture(self) -> Picture:
        facts = {"chosen": f"{self.blade}, alpha {self.blade.alpha:g}", "worth it": self.said}
        facts |= {f"left out: {kind}": why for kind, why in self.left_out.items()}
        return Stacked([Card(f"specialised in {self._domain}", facts), self._tried(), self.card.picture()])

    def _tried(self) -> Table:
        """The best place of each kind."""
        best = {kind: (sweep, sweep.chosen) for kind, sweep in self.sweeps.items()}
        gains = [sweep.gains[one.place] for sweep, one in best.values()]
        kept = [sweep.kept.get(one.place) for sweep, one in best.values()]
        columns = [
            Column("best at", [one.place for _, one in best.values()]),
            Column("alpha", [one.alpha for _, one in best.values()]),
            Column("accuracy", [sweep.accuracy(one.place) for sweep, one in best.values()]),
            Column("gain, nats", [one.value for one in gains]),
            Column("95 % from", [one.low for one in gains]),
            Column("to", [one.high for one in gains]),
            *([Column("others", [float("nan") if one is None else one.value for one in kept])] if any(kept) else []),
            Column("", ["chosen" if self._is_chosen(kind, one.place) else "" for kind, (_, one) in best.items()]),
        ]
        count, places = len(next(iter(self.sweeps.values())).outcomes.items), sum(map(_places, self.sweeps.values()))
        caption = (
            f"{places} blades on {count:,} items to choose by; others: accuracy on the other domains, of which the"
            f" chosen one may lose {LOSS:g}"
        )
        return Table(list(best), columns, caption=caption)

    @property
    def _domain(self) -> str:
        return self.trial.claim.target[0]

    @property
    def _placebos(self) -> str:
        ruling = self.trial.verdict.ruling
        gain = self.trial.mean(BLADE) - self.trial.mean(self.trial.claim.untouched)
        does = "does more than its placebos" if ruling == HOLDS else f"does more than its placebos: {ruling}"
        return f"The blade {does}, {gain:+.3f} in accuracy over the target."

    @property
    def _rivals(self) -> str:
        found = rivals(self.trial)
        by = {ruling: [one.name for one in found if one.ruling == ruling] for ruling in (BEATS, BEATEN, OPEN)}
        said = {BEATS: "It beats", BEATEN: "Better than it:", OPEN: "Not told apart from it:"}
        return " ".join(f"{said[ruling]} {', '.join(names)}." for ruling, names in by.items() if names)

    @property
    def _cheaper(self) -> str:
        """What to take in its place: all that is not told to be worse for fewer passes, and its worth elsewhere."""
        found = cheaper(self.trial, self.blade.forwards)
        each = [f"{one.name} ({one.accuracy:.3f}, elsewhere {one.elsewhere:.3f})" for one in found]
        mine = f"{self.trial.mean(BLADE):.3f}, elsewhere {elsewhere(self.trial, BLADE):.3f}"
        near = "Cheaper, and not told to be worse"
        return f"{near}: {', '.join(each)}; the blade {mine}." if found else ""

    def _named(self, kind: str, place: str) -> str:
        return f"{place}, chosen" if self._is_chosen(kind, place) else place

    def _is_chosen(self, kind: str, place: str) -> bool:
        return (kind, place) == (self.blade.kind, self.blade.place)


def _places(sweep: PlaceSweep) -> int:
    return len(sweep.places)
