"""The study: the same exercises, put to every arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...core.progress import progress
from ...errors import InputError
from ...inject.debating.debating import Debating
from ...inject.debating.gate import Gate
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..judging.exercise import exercises_of
from ..judging.on_items import rows_for
from ..judging.sheets import Sheet, sheets_by_length
from .arms import Arm, Asked, arms
from .debates import Debates
from .reply import by_exercise, measured


def debates(
    lifted: Lifted,
    items: Sequence[object],
    debating: Debating,
    recipe: Recipe,
    *,
    gate: Gate | None = None,
    draws: int = 3,
    seed: int = 0,
) -> Debates:
    """`items` as `judge` takes them. What is left to chance is drawn `draws` times, and every exercise counts with the
    mean over them. The recipe is in force in every arm. InputError for what cannot be asked, EditError as of
    `Debating.span`, NotFiniteError, CancelledError; nothing is kept of what was begun.
    """
    if type(draws) is not int or draws < 1:
        raise InputError(f"{draws!r} draws cannot be made.", "Ask for one or more.")
    debating = debating.within(lifted.spec)
    exercises, several = exercises_of(items), arms(debating, lifted, gate)
    numbers = 2 * lifted.spec.vocab_size * max(arm.passes for arm in several)  # logits of eight bytes
    asked = sheets_by_length(rows_for(lifted, exercises), numbers)
    marks: dict[str, list[Tensor]] = {}
    with progress("debating over items", "arm", len(several)) as bar:
        for arm in several:
            times = range(draws if arm.by_chance else 1)
            marks[arm.name] = [_marks(arm, lifted, recipe, asked, draw, len(exercises)) for draw in times]
            bar.update()
    untouched = marks[several[0].name][0]
    found = [measured(marks[arm.name], untouched) for arm in several]
    return Debates(
        model_id=lifted.spec.model_id,
        debating=debating,
        arms=tuple(arm.name for arm in several),
        passes=tuple(arm.passes for arm in several),
        domains=tuple(one.domain for one in exercises),
        measures={name: torch.stack([one[name] for one in found], 1) for name in found[0]},
        draws=draws,
        edits=len(recipe),
        seed=seed,
        gates=", ".join(_gates(debating, gate, draws)),
    )


def _gates(debating: Debating, gate: Gate | None, draws: int) -> Iterator[str]:
    """A gate weighs perspectives by number, and those of later draws are of other seeds than it was fitted with."""
    if debating.reconciliation == "gated" and debating.gate is None:
        yield "joined by untrained gates"
    if gate is not None:
        gated = replace(debating, reconciliation="gated", gate=gate)
        seeds = f", by its own seeds in 1 of {draws} draws" if gated.is_own_gate and draws > 1 else ""
        yield f"the gated arm: {gated.status(None)}{seeds}"


def _marks(arm: Arm, lifted: Lifted, recipe: Recipe, asked: Sequence[Sheet], draw: int, count: int) -> Tensor:
    """(exercises, marks) of one draw."""
    each = [arm.answer(Asked(lifted, recipe, sheet.batch(lifted.model), draw)).marks(sheet) for sheet in asked]
    return by_exercise(torch.cat(each), torch.cat([sheet.numbers for sheet in asked]), count)
