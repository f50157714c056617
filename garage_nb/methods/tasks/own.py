"""Own: a ground of one's own models and items, at hand here and by name elsewhere. Items go along with the names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...analyze.judging.exercise import Exercise
from ...fleet.engines.crew import Crew
from ...fleet.reference import Reference, at_hand, opened, reference_on
from ...registry.lift import Lifted
from ..studies.ground import Ground
from ..studies.own_ground import own_ground

Needs = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NamedOwn:
    target: Reference
    others: tuple[Reference, ...]
    needs: Needs
    exercises: tuple[Exercise, ...]
    domains: tuple[str, ...]

    def opened(self) -> Ground:
        """Errors as of `own_ground` and `fleet.reference.opened`."""
        others = [opened(one) for one in self.others]
        return own_ground(opened(self.target), others, self.needs, self.exercises, self.domains)


@dataclass(frozen=True, eq=False, kw_only=True)
class Own:
    target: Lifted
    others: Sequence[Lifted]
    exercises: Sequence[Exercise]
    domains: Sequence[str]

    def ground(self, needs: Needs) -> Ground:
        """Errors as of `own_ground`."""
        return own_ground(self.target, self.others, needs, self.exercises, self.domains)

    @contextmanager
    def named(self, crew: Crew, folder: Path) -> Iterator[Callable[[Needs], NamedOwn]]:
        """While this stands, this process opens the live models; others what is at their places, or in that folder.

        Errors as of `reference_on`.
        """
        models = (self.target, *self.others)
        named = [reference_on(crew, one, folder) for one in models]
        with ExitStack() as stack:
            for reference, lifted in zip(named, models, strict=True):
                stack.enter_context(at_hand(reference, lifted))
            target, *others = named
            yield lambda needs: NamedOwn(
                target=target,
                others=tuple(others),
                needs=needs,
                exercises=tuple(self.exercises),
                domains=tuple(self.domains),
            )
