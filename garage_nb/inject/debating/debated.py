"""Debated: a debate token by token, and what each of its perspectives would have said at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from ...core.batch import Batch, Prompt, prepare
from ...core.progress import progress
from ...errors import InputError
from ...registry.lift import Lifted
from ...view.bars import Column, Table
from ...view.figure import Plot
from ...view.frames import framed
from ...view.shown import Drawn
from ..recipe import Recipe
from .debating import Debating
from .held import NO_EDITS, held
from .step import Step, step_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MEASURES = {
    "cosine": "cosine of the streams where they meet",
    "divergence": "KL of what they would have said, nats",
    "weight": "weight of each perspective",
}


@dataclass(frozen=True, repr=False, kw_only=True)
class Debated(Drawn):
    """`layers` are those from where the stream parts to where it is one again; `edits` how many were in force."""

    model_id: str
    prompt: str
    debating: Debating
    layers: tuple[str, ...]
    edits: int
    steps: tuple[Step, ...]

    @property
    def blocks(self) -> int:
        """How many ran between parting and meeting."""
        return len(self.layers) - 1

    @property
    def status(self) -> str:
        return self.debating.status(self.blocks)

    def frame(self) -> pd.DataFrame:
        """One row a step: the token written, what each perspective would have said, weights, cosines and KL in nats."""
        count = range(len(self.debating.seeds))
        heads = ["written", "probability", "agreed", *(f"perspective {one}" for one in count)]
        heads += [f"probability {one}" for one in count] + [f"weight {one}" for one in count]
        heads += [f"cosine {pair}" for pair in self._pairs] + self._directed
        return framed("step", range(len(self.steps)), heads, map(_row, self.steps))

    def plot(self, measure: str = "cosine", ax: Axes | None = None) -> Plot:
        """Step by step: cosine or divergence of each pair, or the weight of each perspective."""
        from ...view.lines import lines

        if measure not in MEASURES:
            raise InputError(f"There is no measure {measure!r} of a debate.", f"There are: {', '.join(MEASURES)}.")
        names = [f"perspective {one}" for one in range(len(self.debating.seeds))]
        series = {
            "cosine": (self._pairs, [step.cosines for step in self.steps]),
            "divergence": (self._directed, [step.divergences for step in self.steps]),
            "weight": (names, [step.shares for step in self.steps]),
        }
        heads, rows = series[measure]
        drawn = {head: list(column) for head, column in zip(heads, zip(*rows, strict=True), strict=True)}
        written = [step.reconciled.spelt[0] for step in self.steps]
        picture = lines(written, drawn, MEASURES[measure], ax=ax)
        return Plot(picture, f"{MEASURES[measure]}, {len(written)} steps of a debate in {self.model_id}", self.frame)

    def picture(self) -> Table:
        """Of three perspectives or more, means over the pairs; the frame has each."""
        several = len(self._pairs) > 1
        columns = [
            Column(f"perspective {one}", [step.perspectives[one].spelt[0] for step in self.steps])
            for one in range(len(self.debating.seeds))
        ]
        columns += [
            Column(f"weight {one}", [step.shares[one] for step in self.steps])
            for one in range(len(self.debating.seeds))
        ]
        columns.append(Column("cosine, mean" if several else "cosine", [fmean(step.cosines) for step in self.steps]))
        if several:
            columns.append(Column("KL, mean", [fmean(step.divergences) for step in self.steps]))
        else:
            ways = zip(*(step.divergences for step in self.steps), strict=True)
            columns += [Column(head, way) for head, way in zip(self._directed, ways, strict=True)]
        names = [step.reconciled.spelt[0] for step in self.steps]
        return Table(names, columns, title=self.prompt, caption=self._caption())

    def _caption(self) -> str:
        far = f"from {self.layers[0]} to {self.layers[-1]}" if self.blocks else f"at {self.layers[0]}"
        how = f"{self.debating.divergence} {self.debating.strength:g}, {self.debating.reconciliation}"
        edits = f" · {self.edits} edit{'s' * (self.edits > 1)} in force" if self.edits else ""
        return f"{self.model_id}, {far}, {how} · {self.status} · agreed in {self._agreed} steps, KL in nats{edits}"

    @property
    def _agreed(self) -> str:
        return f"{sum(step.agreed for step in self.steps)} of {len(self.steps)}"

    @property
    def _pairs(self) -> list[str]:
        return [f"{a},{b}" for a, b in combinations(range(len(self.debating.seeds)), 2)]

    @property
    def _directed(self) -> list[str]:
        pairs = combinations(range(len(self.debating.seeds)), 2)
        return [f"KL {i} ‖ {j}" for a, b in pairs for i, j in ((a, b), (b, a))]


def debated(
    lifted: Lifted, prompt: Prompt, debating: Debating, recipe: Recipe = NO_EDITS, *, steps: int = 1
) -> Debated:
    """The likeliest token of the reconciled stream is written and read again, `steps` times; an end token ends nothing.
    The whole text is run anew at every step, n + 1 times side by side. InputError for several prompts.
    """
    *_, found = unfolding(lifted, prompt, debating, recipe, steps=steps)
    return found


def unfolding(
    lifted: Lifted, prompt: Prompt, debating: Debating, recipe: Recipe = NO_EDITS, *, steps: int = 1
) -> Iterator[Debated]:
    """The same, with what there is by now after every step."""
    batch, how = prepare(prompt, lifted.model, lifted.tokenizer), debating.within(lifted.spec)
    if batch.input_ids.shape[0] != 1 or batch.padding is not None:
        raise InputError("One prompt without padding was expected.", "Debate one text after the other.")
    if type(steps) is not int or steps < 1:
        raise InputError(f"{steps!r} steps cannot be taken.", "Ask for one or more.")
    text = prompt if isinstance(prompt, str) else " ".join(map(str, batch.input_ids[0].tolist()))
    layers = how.span(lifted.spec).layers
    empty = Debated(
        model_id=lifted.spec.model_id, prompt=text, debating=how, layers=layers, edits=len(recipe), steps=()
    )
    made: list[Step] = []
    with progress("debating", "step", steps) as bar:
        for step in _stepped(lifted, batch, how, recipe, steps):
            made.append(step)
            bar.update()
            yield replace(empty, steps=tuple(made))


def _stepped(lifted: Lifted, batch: Batch, debating: Debating, recipe: Recipe, steps: int) -> Iterator[Step]:
    for number in range(steps):
        step = step_of(lifted.tokenizer, held(lifted.model, lifted.spec, batch, debating, recipe, last=1))
        yield step
        if number < steps - 1:
            batch = prepare(_with(batch, step.id).inputs(), lifted.model)


def _with(batch: Batch, token: int) -> Batch:
    """One token longer: in an encoder–decoder model what was written so far."""
    more = batch.input_ids.new_tensor([[token]])
    if batch.decoder_input_ids is not None:
        return replace(batch, decoder_input_ids=torch.cat([batch.decoder_input_ids, more], dim=1))
    ids, mask = torch.cat([batch.input_ids, more], dim=1), torch.cat([batch.attention_mask, torch.ones_like(more)], 1)
    return replace(batch, input_ids=ids, attention_mask=mask)


def _row(step: Step) -> Sequence[Any]:
    says = [one.spelt[0] for one in step.perspectives]
    sure = [one.shares[0] for one in step.perspectives]
    written = (step.reconciled.spelt[0], step.reconciled.shares[0], step.agreed)
    return [*written, *says, *sure, *step.shares, *step.cosines, *step.divergences]
