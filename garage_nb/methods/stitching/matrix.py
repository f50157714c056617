"""StitchingMatrix: what a model comes to with each part of another at each of its places."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from ...analyze.bootstrap import bootstrap
from ...analyze.judging.contest import Contest
from ...analyze.judging.paper import Marks, Paper
from ...analyze.judging.redrawn import NONE, Estimate
from ...analyze.judging.score import Score
from ...errors import InputError
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ...view.stacked import Stacked
from .cells import CONTROLS, OWN, Pair

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

AS_IS: Pair = ("as it is", "")
MEASURES = {
    "loss": "loss, nats per token",
    "loss change": "change of loss, nats per token",
    "accuracy": "accuracy, share of items",
    "accuracy change": "change of accuracy, share of items",
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StitchingMatrix(Drawn):
    """`marks` by what stands at a place, a guest's part or a control, and the place; `reasons` where there are none.

    A change is against the model as it is, `untouched`, text by text and item by item. Intervals are at 95 %, of each
    cell by itself: of losses a bootstrap over texts, of accuracy Wilson's, of its change Bonett and Price's.

    ==============  ==========================================================================================
    own part        the place's own, put in as the others are: nothing may change
    nothing         a half adds nothing to the residual stream; what enters a layer leaves it
    random weights  the numbers of each of the place's own tensors, in random order
    ==============  ==========================================================================================
    """

    model_id: str
    guest_id: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    adapter: str
    edits: int
    paper: Paper
    untouched: Marks
    marks: Mapping[Pair, Marks]
    reasons: Mapping[Pair, str]
    seed: int = 0

    @property
    def rows(self) -> tuple[str, ...]:
        """From bottom to top: the controls, and the guest's parts."""
        return (*CONTROLS, *self.names)

    @property
    def measures(self) -> list[str]:
        known = {"loss": bool(self.paper.domains), "accuracy": bool(self.paper.asked)}
        return [measure for measure in MEASURES if known[measure.partition(" ")[0]]]

    @property
    def own_is_equal(self) -> bool:
        """Whether its own part at every place gives the model's own losses and answers, bit for bit."""
        own = [self.marks.get((OWN, place)) for place in self.places]
        mine = self.untouched
        return all(
            one is not None and torch.equal(one.losses, mine.losses) and torch.equal(one.right, mine.right)
            for one in own
        )

    def of(self, measure: str, name: str, place: str) -> Estimate:
        """NaN where the cell is n/a. InputError for what is no measure or no cell of the matrix."""
        self._demand(measure)
        if (name, place) not in self._every:
            raise InputError(f"There is no {name!r} at {place!r}.", f"Places: {', '.join(self.places)}.")
        return self._every[name, place].get(measure, NONE)

    def best(self, top: int = 5) -> list[tuple[str, str, float]]:
        """The guest's parts and places that cost least: part, place, change of loss, or of accuracy without texts."""
        measure = self._usual
        sign = 1 if measure.startswith("loss") else -1
        found = [(name, place, self.of(measure, name, place).value) for name, place in self.marks if name in self.names]
        return sorted(found, key=lambda cell: sign * cell[2])[:top]

    def frame(self) -> pd.DataFrame:
        """One row a cell, the model as it is first. `reason` says why a cell is n/a."""
        kinds = self.measures
        heads = [f"{kind.replace(' ', '_')}{end}" for kind in kinds for end in ("", "_low", "_high")]
        keys = [AS_IS, *((name, place) for name in reversed(self.rows) for place in self.places)]
        rows = [
            [
                *(end for kind in kinds for end in vars(self._every[key].get(kind, NONE)).values()),
                self.reasons.get(key, ""),
            ]
            for key in keys
        ]
        return framed(("part", "place"), keys, [*heads, "reason"], rows)

    def plot(self, measure: str | None = None, ax: Axes | None = None) -> Plot:
        """Places from left to right, parts from bottom to top over the controls; of one name where there is a frame.

        Colours tell cells apart that change up to ten times the median change: a place that bears no other part would
        leave no colours to the others.
        """
        from ...view.outlined import divide, outline
        from ...view.plots import grid

        wanted = self._usual if measure is None else measure
        self._demand(wanted)
        values = [[self.of(wanted, name, place).value for place in self.places] for name in self.rows]
        label, across, signed = MEASURES[wanted], f"place in {self.model_id}", "change" in wanted
        usual = self._usual_cells(wanted)
        drawn = grid(self.rows, self.places, values, label, across=across, signed=signed, scaled_by=usual, ax=ax)
        divide(drawn, len(CONTROLS))
        same = [(row, self.places.index(name)) for row, name in enumerate(self.rows) if name in self.places]
        outline(drawn, same)
        return Plot(drawn, f"{label}: parts of {self.guest_id} by {across}, over the controls", self.frame)

    def picture(self) -> Stacked:
        from .matrix_table import tables

        return Stacked(tables(self))

    @cached_property
    def _every(self) -> dict[Pair, dict[str, Estimate]]:
        """All measures of all cells; of those that are n/a none."""
        known = {AS_IS: self.untouched, **self.marks}
        losses, changes = self._losses(known)
        found: dict[Pair, dict[str, Estimate]] = {(name, place): {} for name in self.rows for place in self.places}
        for number, (pair, mine) in enumerate(known.items()):
            found[pair] = {"loss": losses[number], "loss change": changes[number]} if losses else {}
            if self.paper.asked:
                found[pair] |= self._answers(mine)
        return found

    def _losses(self, known: Mapping[Pair, Marks]) -> tuple[list[Estimate], list[Estimate]]:
        """Of all cells on the same draws of texts."""
        if not self.paper.domains:
            return [], []
        sums = torch.stack([one.losses for one in known.values()], 1)
        both = (sums, sums - self.untouched.losses[:, None])
        found = [bootstrap(one, sizes=self.paper.tokens, seed=self.seed) for one in both]
        ends = [zip(one.mean.tolist(), one.low.tolist(), one.high.tolist(), strict=True) for one in found]
        losses, changes = ([Estimate(*cell) for cell in one] for one in ends)
        return losses, changes

    def _answers(self, mine: Marks) -> dict[str, Estimate]:
        n, own, other = len(mine.right), mine.right.bool(), self.untouched.right.bool()
        score = Score(right=int(own.sum()), n=n)
        contest = Contest(won=int((own & ~other).sum()), lost=int((other & ~own).sum()), n=n)
        change = Estimate(contest.difference, *contest.interval)
        return {"accuracy": Estimate(score.accuracy, *score.interval), "accuracy change": change}

    def _usual_cells(self, measure: str) -> list[float]:
        from ...view.scale import usual_reach

        change = f"{measure.partition(' ')[0]} change"
        cells = [(name, place) for name in self.rows for place in self.places]
        changes = [self.of(change, *cell).value for cell in cells]
        reach = usual_reach(changes)
        return [self.of(measure, *cell).value for cell, far in zip(cells, changes, strict=True) if abs(far) <= reach]

    @property
    def _usual(self) -> str:
        return "loss change" if self.paper.domains else "accuracy change"

    def _demand(self, measure: str) -> None:
        if measure not in self.measures:
            raise InputError(f"There is no measure {measure!r}.", f"There are: {', '.join(self.measures)}.")


def is_better(measure: str, change: Estimate) -> bool:
    """Whether the whole interval lies on the better side of no change."""
    if math.isnan(change.low):
        return False
    return change.high < 0 if measure.startswith("loss") else change.low > 0
