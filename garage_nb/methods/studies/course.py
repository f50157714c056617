"""Course: a study whose arms all answer the same items. What no seed changes runs once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...analyze.judging.exercise import Exercise
from ..outcomes import Item, Marks
from .ground import Ground
from .papers import NO_READINGS, Answering, Papers, Reading

FEWER = 4  # of a domain that should stay as it was, one item for so many


@dataclass(frozen=True, eq=False)
class Run:
    """One arm: `answering` makes its way to answer under a seed. What is not `is_drawn` is the same under every one.

    `readings` by name, the same names in every arm.
    """

    arm: str
    answering: Callable[[int], Answering]
    is_drawn: bool = False
    readings: Callable[[int], Mapping[str, Reading]] = lambda seed: NO_READINGS


@dataclass(frozen=True, eq=False)
class Course:
    """The items are the ground's, the first of each domain; of those that the claim is not `about`, one for four. It is
    about the ground's own where none is named.
    """

    ground: Ground
    runs: Sequence[Run]
    about: Sequence[str] = ()
    _once: dict[str, Marks] = field(default_factory=dict, init=False, repr=False)

    @property
    def model_id(self) -> str:
        return self.ground.model_id

    def items(self, count: int) -> Sequence[Item]:
        return [Item(domain, _named(place, one)) for domain, place, one in self._asked(count)]

    def arms(self, seed: int, items: Sequence[Item]) -> Iterator[tuple[str, Marks]]:
        several = self.ground.test.items()
        known = {(domain, _named(place, one)): one for domain, mine in several for place, one in enumerate(mine)}
        papers = Papers.of(self.ground.target, [known[item.domain, item.name] for item in items])
        for run in self.runs:
            if run.arm not in self._once:
                self._once[run.arm] = papers.marked(run.answering(seed), run.readings(seed))
            yield run.arm, self._once.pop(run.arm) if run.is_drawn else self._once[run.arm]

    def _asked(self, count: int) -> Iterator[tuple[str, int, Exercise]]:
        about = self.about or [self.ground.domain]
        for domain in self.ground.domains:
            most = count if domain in about else max(1, count // FEWER)
            for place, one in enumerate(self.ground.test[domain][:most]):
                yield domain, place, one


def _named(place: int, exercise: Exercise) -> str:
    """Another name for every item of a domain, whatever it says."""
    return f"{place}: {exercise.text}"
