"""Ablation scan: how much a metric falls when one part after the other says nothing, over several prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch, Prompt
from ...core.sites import Tap
from ...core.tokens import Tokens
from ...errors import InputError
from ...inject.ablate import HOWS, Ablate
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
from .states import demand_room, states
from .variants import measured, unedited

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN = 40  # rows of a table; the frame holds them all


@dataclass(frozen=True, eq=False, repr=False)
class AblationScan(Drawn):
    """`effects` are the metric without a part minus the metric with it, prompts by parts; `untouched` is the latter.

    The interval is a bootstrap over prompts, 95 %.
    """

    model_id: str
    how: str
    label: str
    prompts: tuple[str, ...]
    parts: tuple[str, ...]
    untouched: Float[Tensor, " prompts"]
    effects: Float[Tensor, "prompts parts"]
    seed: int = 0

    @cached_property
    def interval(self) -> Interval:
        return bootstrap(self.effects, seed=self.seed)

    def best(self, top: int = 5) -> list[tuple[str, float]]:
        """The parts whose loss moves the metric most, either way, and by how much on average."""
        order = self.interval.mean.abs().argsort(descending=True, stable=True)[:top].tolist()
        return [(self.parts[at], float(self.interval.mean[at])) for at in order]

    def frame(self) -> pd.DataFrame:
        """One row a part: the mean effect over prompts, its interval, and the share of prompts it is below 0 for."""
        found = self.interval
        fell = (self.effects < 0).double().mean(dim=0)
        columns = [found.mean, found.low, found.high, fell]
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return framed("part", self.parts, ["effect", "low", "high", "fell"], rows)

    def each(self) -> pd.DataFrame:
        """One row a prompt and part."""
        keys = [(prompt, part) for prompt in range(len(self.prompts)) for part in self.parts]
        before = self.untouched.repeat_interleave(len(self.parts)).tolist()
        rows = zip([self.prompts[at] for at, _ in keys], before, self.effects.flatten().tolist(), strict=True)
        return framed(("prompt", "part"), keys, ["text", "untouched", "effect"], rows)

    def plot(self, ax: Axes | None = None) -> Plot:
        """Mean effect and interval, part by part."""
        from ...view.intervals import intervals

        found = [column.tolist() for column in vars(self.interval).values()]
        label = f"change of {self.label}"
        sure = f", 95 % interval over {len(self.prompts)} prompts" if len(self.prompts) > 1 else ""
        drawn = intervals(self.parts, *found, label=label, across=f"{self._across}{sure}", ax=ax)
        return Plot(drawn, f"{label} by {self._across}, {len(self.parts)} parts, {self._counted}", self.frame)

    def picture(self) -> Table:
        """Where there are too many parts, those that move the metric most, in the order of the model."""
        found = self.interval
        order = found.mean.abs().argsort(descending=True, stable=True)[:SHOWN]
        shown = sorted(order.tolist())
        columns = [
            Column("effect", [float(found.mean[at]) for at in shown], bar=True),
            Column("95 % from", [float(found.low[at]) for at in shown]),
            Column("to", [float(found.high[at]) for at in shown]),
        ]
        rest = len(self.parts) - len(shown)
        more = f" · {rest:,} smaller in .frame()" if rest else ""
        caption = f"change of {self.label} by {self._across}, {self._counted}{more}"
        return Table([self.parts[at] for at in shown], columns, title=self.prompts[0], caption=caption)

    @property
    def _across(self) -> str:
        return f"part taken away ({self.how})"

    @property
    def _counted(self) -> str:
        mean = number(float(self.untouched.mean()))
        if len(self.prompts) == 1:
            return f"one prompt, {mean} untouched"
        return f"mean of {len(self.prompts)} prompts, {mean} untouched"


def ablation(
    lifted: Lifted,
    prompts: Prompt,
    recipe: Recipe,
    parts: Selector,
    *,
    how: str = "zero",
    reference: Prompt | None = None,
    metric: Any = "logit_difference",
    target: Any = None,
    foil: Any = None,
    tokens: str = "all",
    seed: int = 0,
) -> AblationScan:
    """Every part ablated in every prompt, one at a time, after the recipe in force.

    The reference of a mean or a resampling is what the parts have, under the recipe, for all tokens of other prompts,
    or of the prompts themselves where none are given. Target and foil are what each prompt itself makes likeliest and
    second likeliest unless named, once or for each prompt.
    """
    if how not in HOWS:
        raise InputError(f"There is no ablation {how!r}.", f"There are: {', '.join(HOWS)}.")
    question, batches = Question(metric, target, foil), each_prompt(prompts, lifted)
    question.demand_one_each(len(batches))
    spec, words, names = lifted.spec, Words(lifted.tokenizer), lifted.spec.usable(parts)
    known = batches if reference is None else each_prompt(reference, lifted)
    rows = {} if how == "zero" else references(lifted, known, recipe.taps(spec), names)
    edits = [Ablate(name, how, rows.get(name), seed, tokens=Tokens(tokens)) for name in names]
    metrics, before, effects = [], [], []
    for place, batch in enumerate(batches):
        logits = unedited(lifted, batch, recipe, edits)
        metrics.append(question.of(place, logits, words))
        before.append(float(metrics[-1](logits[None])[0]))
        effects.append(measured(lifted, batch, recipe, edits, metrics[-1]) - before[-1])
    texts, label = said_each(prompts, batches, words), question.label(metrics)
    untouched = torch.tensor(before, dtype=torch.float64)
    return AblationScan(spec.model_id, how, label, texts, tuple(names), untouched, torch.stack(effects), seed)


def references(
    lifted: Lifted, batches: Sequence[Batch], taps: Sequence[Tap], names: Sequence[str]
) -> dict[str, Float[Tensor, "tokens dim"]]:
    """What each part has for all tokens of all prompts, one after the other. InputError beyond the budget."""
    demand_room(lifted, sum(batch.input_ids.shape[1] for batch in batches), names)
    found = [states(lifted, batch, taps, names).rows for batch in batches]
    return {name: torch.cat([rows[name] for rows in found]) for name in names}
