"""Sweep: what the next token would be under each of many edits, and how far that is from the untouched model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..analyze.causal.variants import answered, unedited
from ..analyze.texts.prompt import Words
from ..core.tokens import Tokens
from ..errors import InputError
from ..inject.edits import Scale
from ..inject.recipe import Recipe
from ..plain import shorten
from ..registry.lift import Lifted
from ..view.bars import Column, Table
from ..view.figure import Plot
from ..view.frames import framed
from ..view.shown import Drawn
from .text import demand_finite, one_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SHOWN = 40  # rows of a table; the frame holds them all
TARGET = 30  # characters
MEASURES = ("probability", "divergence")


@dataclass(frozen=True)
class Outcome:
    """One variant. `touched` is the text of the token that was touched alone, empty where several were.

    `token` is what it makes likeliest; `probability` is that of the sweep's own `target`. `divergence` is
    Kullback–Leibler KL(untouched ‖ variant) over the whole vocabulary, in nats.
    """

    part: str
    factor: float
    tokens: str
    touched: str
    token: str
    probability: float
    divergence: float


@dataclass(frozen=True, repr=False)
class Sweep(Drawn):
    """Outcomes in the order part, factor, tokens. `target` is the untouched model's likeliest token unless given."""

    prompt: str
    target: str
    untouched: float
    outcomes: tuple[Outcome, ...]

    def frame(self) -> pd.DataFrame:
        """One row a variant."""
        columns = [item.name for item in fields(Outcome)]
        return framed("variant", range(len(self.outcomes)), columns, [vars(one).values() for one in self.outcomes])

    def plot(self, measure: str = "probability", ax: Axes | None = None) -> Plot:
        """One line for one part, else parts by factors, or by tokens where one factor was swept over them."""
        from ..view.plots import grid, line

        if measure not in MEASURES:
            raise InputError(f"A sweep has no {measure!r}.", f"There are: {', '.join(MEASURES)}.")
        values = [getattr(one, measure) for one in self.outcomes]
        parts = list(dict.fromkeys(one.part for one in self.outcomes))
        names = [self._named(one) for one in self.outcomes[: len(self.outcomes) // len(parts)]]
        label = f"probability of {self.target!r}" if measure == "probability" else "KL from untouched, nats"
        rows = [values[start : start + len(names)] for start in range(0, len(values), len(names))]
        if len(parts) == 1:
            drawn = line(names, values, label=label, across=f"{self._across} of {parts[0]}", ax=ax)
        else:
            top = 1.0 if measure == "probability" else None
            drawn = grid(parts, names, rows, label, across=self._across, top=top, ax=ax)
        return Plot(drawn, f"{label} by {self._across}, {len(self.outcomes)} variants", self.frame)

    def picture(self) -> Table:
        shown = self.outcomes[:SHOWN]
        columns = [
            Column("factor", [one.factor for one in shown]),
            Column("tokens", [_touched(one) for one in shown]),
            Column("next", [repr(one.token) for one in shown]),
            Column(f"P({self.target!r})", [one.probability for one in shown], bar=True, top=1.0),
            Column("KL, nats", [one.divergence for one in shown]),
        ]
        rest = len(self.outcomes) - len(shown)
        more = f" · {rest} more in .frame()" if rest else ""
        caption = f"untouched {shorten(f'P({self.target!r})', TARGET)} = {self.untouched:.3f}{more}"
        return Table([one.part for one in shown], columns, title=f"{self.prompt} …", caption=caption)

    @property
    def _across(self) -> str:
        """What the variants of one part differ in."""
        if len({one.tokens for one in self.outcomes}) == 1:
            return "factor"
        return "token scaled" if len({one.factor for one in self.outcomes}) == 1 else "factor and token scaled"

    def _named(self, one: Outcome) -> str:
        factor = [f"{one.factor:g}"] if "factor" in self._across else []
        return " ".join([*factor, *([_touched(one)] if "token" in self._across else [])])


def sweep(
    lifted: Lifted,
    prompt: str,
    recipe: Recipe,
    parts: Sequence[str],
    factors: Sequence[float],
    tokens: str,
    target: str | None,
) -> Sweep:
    """Every part scaled by every factor, one variant each, after the recipe in force.

    `tokens` says which ones are touched; `each` makes a variant of every single one.
    """
    batch = one_text(prompt, lifted)
    decode = lifted.tokenizer.decode
    words = {str(place): decode([token]) for place, token in enumerate(batch.input_ids[0].tolist())}
    spans = list(words) if tokens == "each" else [tokens]
    variants = [Scale(part, factor, tokens=Tokens(span)) for part, factor, span in product(parts, factors, spans)]
    untouched = unedited(lifted, batch, Recipe(), variants)
    demand_finite(untouched)
    log_before = untouched.double().log_softmax(-1)
    aim = int(log_before.argmax()) if target is None else Words(lifted.tokenizer).number(target)
    if len(recipe):
        unedited(lifted, batch, recipe, variants)  # for what it keeps
    found = torch.empty(len(variants), 3, dtype=torch.float64)
    for places, rows in answered(lifted, batch, recipe, variants, "sweeping"):
        found[places] = _measured(rows, log_before, aim)
    outcomes = tuple(
        Outcome(edit.at, edit.factor, span, words.get(span, ""), decode([int(token)]), probability, divergence)
        for edit, (token, probability, divergence) in zip(variants, found.tolist(), strict=True)
        for span in [str(edit.tokens)]
    )
    return Sweep(prompt, decode([aim]), float(log_before[aim].exp()), outcomes)


def _touched(one: Outcome) -> str:
    return f"{one.tokens} {one.touched!r}" if one.touched else one.tokens


def _measured(rows: Tensor, log_before: Tensor, aim: int) -> Tensor:
    """(rows, 3): likeliest token, probability of the target, divergence from the untouched; on the host."""
    demand_finite(rows)
    log_after = rows.double().log_softmax(-1)
    divergence = (log_before.exp() * (log_before - log_after)).sum(-1)
    return torch.stack([log_after.argmax(-1).double(), log_after[:, aim].exp(), divergence], dim=1).cpu()
