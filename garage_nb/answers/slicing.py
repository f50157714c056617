"""Slicing: a plain model with fewer neurons, and whether it is faster for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analyze.pathways.speed import DENSE, MASKED, SLICED, Speed, speeds
from ..compose.assembly.delivery import Delivery
from ..compose.slicing.from_masks import kept_by
from ..compose.slicing.slice import slice_of
from ..inject.mask import Kept
from ..inject.recipe import Recipe
from ..registry.lift import Lifted
from ..view.bars import number
from ..view.cards import Card
from ..view.frames import framed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class Slicing(Delivery):
    """`kept` are its neurons by their old numbers; `speeds` are of a prompt and of one token, each of the dense, the
    masked and the sliced model.
    """

    kept: Kept
    speeds: tuple[Speed, ...]

    def frame(self) -> pd.DataFrame:
        """One row a passage and model: median, least and largest time, the same by the dense one's, and sizes."""
        keys = [(speed.tokens, name) for speed in self.speeds for name in (DENSE, MASKED, SLICED)]
        rows = []
        for speed in self.speeds:
            for name in (DENSE, MASKED, SLICED):
                cost = speed.costs[name]
                times = (cost.median, min(cost.seconds), max(cost.seconds))
                rows.append((*times, *speed.ratio(name), len(cost.seconds), cost.parameters, cost.bytes))
        heads = [
            "seconds",
            "least",
            "largest",
            "ratio",
            "ratio_least",
            "ratio_largest",
            "rounds",
            "parameters",
            "bytes",
        ]
        return framed(("tokens", "model"), keys, heads, rows)

    def picture(self) -> Card:
        dense, sliced = (self.speeds[0].costs[name].parameters for name in (DENSE, SLICED))
        kept = sorted({len(numbers) for numbers in self.kept.values()})
        facts = {
            "neurons": f"{', '.join(f'{count:,}' for count in kept)} in each of {len(self.kept)} ffns",
            "parameters": f"{sliced:,} of {dense:,}",
            **{_named(speed): _said(speed) for speed in self.speeds},
            **self.proofs.facts(),
        }
        note = "Times by those of the dense model."
        return Card(f"{self.name}: sliced and proved", facts, note=note)


def slicing(lifted: Lifted, masks: Recipe, name: str) -> Slicing:
    """Errors as of `kept_by` and `sliced`."""
    kept, means = kept_by(masks, lifted.spec)
    made = slice_of(lifted, kept, means, name)
    return Slicing(made, kept, tuple(speeds(lifted, masks, made.model)))


def _named(speed: Speed) -> str:
    return "one token" if speed.tokens == 1 else f"{speed.tokens} tokens"


def _said(speed: Speed) -> str:
    """`sliced 0.62 (0.58 to 0.71)`; what was not faster in every round is said not to be."""
    lines = []
    for name in (SLICED, MASKED):
        middle, least, largest = map(number, speed.ratio(name))
        told = "" if speed.is_faster(name) else ": no speed-up measured"
        lines.append(f"{name} {middle} ({least} to {largest}){told}")
    rounds = len(speed.costs[DENSE].seconds)
    return "\n".join([*lines, f"median and range of {rounds} rounds"])
