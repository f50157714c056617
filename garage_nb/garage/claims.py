"""Claims: what is said of methods, tried with controls: on the embedded models, or on one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

from ..analyze.judging.exercise import exercises_of
from ..analyze.judging.exercise_file import read_exercises
from ..compose.assembly.reopening import relifted
from ..errors import InputError
from ..fleet.driving.ledger import Ledger
from ..fleet.engines.crew import Crew
from ..fleet.engines.named import crew_of
from ..methods.claims.listed import Claims as Listed
from ..methods.claims.table import PROPOSALS, proposal
from ..methods.proposal import Proposal
from ..methods.tasks.driven import driven
from ..methods.tasks.own import Own
from ..methods.together import tried_together
from ..methods.trial import Trial
from ..methods.trials import Trials
from ..verbs import verb
from .keeping import Keeping
from .showroom_ground import ShowroomGround, showroom_ground

ALL, HERE = "all", "here"
Tried = Callable[[Proposal], Trial]


class Claims(Keeping):
    @verb(model=False)
    def claim(
        self,
        name: str = "",
        *,
        source: Any = None,
        items: Any = None,
        domains: str = "",
        full: bool = False,
        seed: int = 0,
        on: Any = None,
        ledger: str | None = None,
    ) -> Listed | Trial | Trials:
        """Try what is said of a method, with every control, and print whether it holds; without a name list the claims.

        Args:
            name: a claim by its key, or all that take just the models given, whose p are then adjusted together
            source: the other models that the claim takes, as judge takes them; with items
            items: a .json or .csv file of prompt, answer and domain, or @items, to try it on the model on the lift,
                without edits in force; the showroom's models and items when left out
            domains: which of the items the claim is about, and of what the second source knows more: sorting,arithmetic
            full: on more items, with longer fits
            seed: the first of five
            on: what runs them side by side: here, pool, pool:4, dask, tcp://…, ipyparallel, or @executor; in this
                process when left out
            ledger: a folder that keeps every seed that is done: the same line again goes on from there
        """
        if not name:
            return Listed([*PROPOSALS.values()])
        if items is None and (source is not None or domains):
            raise InputError("Models and domains of one's own take items of one's own.", "Add --items @items.")
        own = None if items is None else self._own(source, items, domains)
        several = [*PROPOSALS.values()] if name == ALL else [proposal(name)]
        if on is None and ledger is None:
            tried = _in_turn(own, full, seed)
        else:
            tried = _by_crew(several, own, crew_of(on or HERE), self.ledger_in(ledger), full=full, seed=seed)
        return tried_together(several, tried) if name == ALL else tried(several[0])

    def _own(self, source: Any, items: Any, domains: str) -> Own:
        given = read_exercises(items) if isinstance(items, str) else exercises_of(items)
        return Own(
            target=self.unedited,
            others=[] if source is None else [*relifted(source).values()],
            exercises=given,
            domains=[one.strip() for one in domains.split(",") if one.strip()],
        )


def _in_turn(own: Own | None, full: bool, seed: int) -> Tried:
    ground_for = cache(own.ground if own else showroom_ground)
    return lambda one: one.tried(ground_for(one.needs), full=full, seed=seed)


def _by_crew(
    several: Sequence[Proposal], own: Own | None, crew: Crew, ledger: Ledger, *, full: bool, seed: int
) -> Tried:
    with ExitStack() as stack:
        named_for = stack.enter_context(own.named(crew, ledger.folder)) if own else ShowroomGround
        return driven(several, named_for, crew, ledger, full=full, seed=seed)
