"""Robustness: how far the answer moves when noise is added at a place, the more the louder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Prompt
from ...errors import InputError
from ...inject.edits import Noise
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...view.bars import Column, Table, number
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..bootstrap import Interval, bootstrap
from ..texts.prompt import Words
from ..texts.prompts import each_prompt, said_each
from .aims import Question
from .variants import measured, unedited

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN, COLUMNS = 40, 6  # rows and columns of a table; the frame holds them all
ACROSS = "noise, in standard deviations of the hidden states there"


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Drawn):
    """`values` are the metric under noise, `untouched` (prompts,) without it.

    The mean is over prompts and draws; its interval, 95 %, a bootstrap over prompts, over draws for a single prompt.
    """

    model_id: str
    label: str
    prompts: tuple[str, ...]
    parts: tuple[str, ...]
    stds: tuple[float, ...]
    untouched: Float[Tensor, " prompts"]
    values: Float[Tensor, "prompts draws parts stds"]

    @cached_property
    def interval(self) -> Interval:
        """Of the metric, (parts, stds) each."""
        samples = self.values[0] if len(self.prompts) == 1 else self.values.mean(dim=1)
        found = bootstrap(samples.flatten(1))
        shape = (len(self.parts), len(self.stds))
        return Interval(found.mean.reshape(shape), found.low.reshape(shape), found.high.reshape(shape))

    def frame(self) -> pd.DataFrame:
        """One row a part and std."""
        keys = [(part, std) for part in self.parts for std in self.stds]
        columns = [column.flatten().tolist() for column in vars(self.interval).values()]
        return framed(("part", "std"), keys, ["metric", "low", "high"], zip(*columns, strict=True))

    def plot(self, ax: Axes | None = None) -> Plot:
        """A line with its interval for one part, else parts by stds."""
        from ...view.intervals import intervals
        from ...view.plots import grid

        names, found = [f"{std:g}" for std in self.stds], vars(self.interval)
        if len(self.parts) == 1:
            columns = [column[0].tolist() for column in found.values()]
            drawn = intervals(
                names, *columns, label=self.label, across=f"{ACROSS}: {self.parts[0]}", joined=True, ax=ax
            )
        else:
            drawn = grid(self.parts, names, self.interval.mean.tolist(), self.label, across=ACROSS, ax=ax)
        words = f"{self.label} by {ACROSS}, {len(self.parts)} parts, {self._counted}"
        return Plot(drawn, words, self.frame)

    def picture(self) -> Table:
        """Stds evenly taken where there are many."""
        step = -(-len(self.stds) // COLUMNS)
        places = range(0, len(self.stds), step)
        columns = [Column(f"std {self.stds[at]:g}", self.interval.mean[:SHOWN, at].tolist()) for at in places]
        rest = len(self.parts) - SHOWN
        more = f" · {rest:,} more in .frame()" if rest > 0 else ""
        caption = f"{self.label} under noise, {self._counted}{more}"
        return Table(self.parts[:SHOWN], columns, title=self.prompts[0], caption=caption)

    @property
    def _counted(self) -> str:
        prompts = "one prompt" if len(self.prompts) == 1 else f"{len(self.prompts)} prompts"
        return f"mean of {prompts} and {self.values.shape[1]} draws, {number(float(self.untouched.mean()))} untouched"


def robustness(
    lifted: Lifted,
    prompts: Prompt,
    recipe: Recipe,
    parts: Selector,
    stds: Sequence[float],
    *,
    draws: int = 5,
    seed: int = 0,
    metric: Any = "logit_difference",
    target: Any = None,
    foil: Any = None,
) -> Robustness:
    """Noise at every part, as loud as each of `stds`, `draws` times: by the seeds from `seed` on, the same for all.

    The recipe is in force before it. Target and foil as of `ablation`.
    """
    if draws < 1 or min(stds) < 0:
        raise InputError("Noise is drawn at least once, as loud as 0 or more.", "Give draws of 1 or more, stds from 0.")
    question, batches = Question(metric, target, foil), each_prompt(prompts, lifted)
    question.demand_one_each(len(batches))
    words, names = Words(lifted.tokenizer), lifted.spec.usable(parts)
    edits = [Noise(name, std, seed + draw) for draw in range(draws) for name in names for std in stds]
    metrics, before, values = [], [], []
    for place, batch in enumerate(batches):
        logits = unedited(lifted, batch, recipe, edits)
        metrics.append(question.of(place, logits, words))
        before.append(float(metrics[-1](logits[None])[0]))
        values.append(measured(lifted, batch, recipe, edits, metrics[-1]).reshape(draws, len(names), len(stds)))
    texts, label = said_each(prompts, batches, words), question.label(metrics)
    untouched = torch.tensor(before, dtype=torch.float64)
    return Robustness(lifted.spec.model_id, label, texts, tuple(names), tuple(stds), untouched, torch.stack(values))
