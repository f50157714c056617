"""Ground: what a claim is tried on: a target, other models, and items to fit on, to choose by, and to test by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...analyze.judging.exercise import Exercise
from ...errors import InputError
from ...inject.blades.card import demand_same_tokens
from ...inject.blades.fitting.lessons import Lessons
from ...registry.lift import Lifted

SIBLING = "sibling"  # a copy of the target that was trained further on the domain, and knows more of it
OTHER_SIBLING = "other sibling"  # a copy that was trained further on another domain
COPY = "copy"  # of the target, trained further on whatever
STRANGER = "stranger"  # trained alike from another random start
OTHER_CLASS = "other class"  # of another architecture, and as wide as the target
EXPERTS = "experts"  # a model whose routers send tokens to experts
MADE_OF = {
    SIBLING: "a copy of the target that was trained further on the domain",
    OTHER_SIBLING: "a copy of the target that was trained further on another domain",
    COPY: "a copy of the target that was trained further",
    STRANGER: "a model of the same class, trained from another random start",
    OTHER_CLASS: "a model of another architecture whose hidden states are as wide",
    EXPERTS: "a model whose routers send tokens to experts",
}
Pool = Mapping[str, Sequence[Exercise]]  # by domain


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """`others` by what they are to the target, as MADE_OF says. `domain` is what they are better at, or what the claim
    is asked of; `test` has it and those that should stay as they were, and asks nothing that is asked in `fit` or
    `choose`.
    """

    target: Lifted
    others: Mapping[str, Lifted]
    domain: str
    fit: Pool
    choose: Pool
    test: Pool
    other_domain: str = ""  # of the other sibling

    def __post_init__(self) -> None:
        """EditError for a model of other tokens; InputError where items are missing, or fitted on and tested by."""
        for other in self.others.values():
            demand_same_tokens(self.target.spec, other.spec)
        for said, pool in (("fit on", self.fit), ("choose by", self.choose), ("test by", self.test)):
            if not pool.get(self.domain):
                raise InputError(f"There are no items of {self.domain!r} to {said}.", "Give more items of it.")
        seen = _asked(self.fit) | _asked(self.choose)
        if twice := sorted(seen & _asked(self.test)):
            raise InputError(f"An item is fitted on and tested by: {twice[0][:40]!r}.", "Split the items.")

    def other(self, role: str) -> Lifted:
        """InputError where there is none."""
        if role not in self.others:
            raise InputError(f"This needs {MADE_OF[role]}, and there is none.", "Give one as its source.")
        return self.others[role]

    @property
    def model_id(self) -> str:
        return " and ".join([self.target.spec.model_id, *(one.spec.model_id for one in self.others.values())])

    @property
    def domains(self) -> tuple[str, ...]:
        """Those that are tested, the one that the claim is about first."""
        return tuple(dict.fromkeys([self.domain, *self.test]))

    def lessons(self, domain: str = "") -> Lessons:
        """To fit on: what comes before the first answer, and the rest."""
        return lessons_from(self.fit[domain or self.domain])


def place_of(ground: Ground) -> str:
    """The fourth layer from the end, which the rules name; the first of a model that has fewer."""
    return fourth_last(ground.target)


def fourth_last(lifted: Lifted) -> str:
    return f"layer_{max(0, lifted.spec.num_layers - 4)}"


def lessons_from(exercises: Sequence[Exercise]) -> Lessons:
    ways = [one.ways[0] for one in exercises]
    return Lessons(tuple(way[0] for way in ways), tuple("".join(way[1:]) for way in ways))


def _asked(pool: Pool) -> set[str]:
    return {one.given for several in pool.values() for one in several}
