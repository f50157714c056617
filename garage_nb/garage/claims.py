"""Claims: what is said of methods, tried with controls: on the embedded models, or on one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ..analyze.judging.exercise import exercises_of
from ..analyze.judging.exercise_file import read_exercises
from ..compose.assembly.reopening import relifted
from ..errors import InputError
from ..methods.claims.listed import Claims as Listed
from ..methods.claims.table import PROPOSALS, proposal
from ..methods.studies.ground import Ground
from ..methods.studies.own_ground import own_ground
from ..methods.together import tried_together
from ..methods.trial import Trial
from ..methods.trials import Trials
from ..verbs import verb
from .session import Session
from .showroom_ground import showroom_ground

ALL = "all"


class Claims(Session):
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
        """
        if not name:
            return Listed([*PROPOSALS.values()])
        if items is None and (source is not None or domains):
            raise InputError("Models and domains of one's own take items of one's own.", "Add --items @items.")
        ground_for = showroom_ground if items is None else self._own_ground(source, items, domains)
        if name == ALL:
            return tried_together(PROPOSALS.values(), cache(ground_for), full=full, seed=seed)
        asked = proposal(name)
        return asked.tried(ground_for(asked.needs), full=full, seed=seed)

    def _own_ground(self, source: Any, items: Any, domains: str) -> Callable[[tuple[str, ...]], Ground]:
        """By the other models that a claim needs."""
        lifted = self.unedited
        given = read_exercises(items) if isinstance(items, str) else exercises_of(items)
        others = [] if source is None else [*relifted(source).values()]
        wanted = [one.strip() for one in domains.split(",") if one.strip()]
        return lambda needs: own_ground(lifted, others, needs, given, wanted)
