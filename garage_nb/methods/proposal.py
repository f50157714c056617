"""Proposal: a claim before it is known on which models it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .bench import Study, run
from .claim import Arm, Claim, Effort
from .rules.rule import Rule
from .studies.ground import Ground
from .trial import Trial

QUICK, FULL = Effort(100, steps=40), Effort(400, steps=200)


@dataclass(frozen=True, kw_only=True)
class Design:
    """How it is tried on a ground: the arms may depend on how many layers there are. What `is_general` is about all
    domains, not only the ground's own.
    """

    protocol: str
    arms: tuple[Arm, ...]
    rule: Rule
    is_general: bool = False


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """`needs` are the other models that the ground must have, by what they are to the target. `study` runs the arms
    that `design` names.
    """

    key: str
    statement: str
    source: str
    design: Callable[[Ground], Design]
    study: Callable[[Ground, Effort], Study]
    needs: tuple[str, ...] = ()
    quick: Effort = QUICK
    full: Effort = FULL

    def claim(self, ground: Ground) -> Claim:
        """With its rule, before any run. InputError for a model that is not there."""
        for role in self.needs:
            ground.other(role)
        design = self.design(ground)
        return Claim(
            key=self.key,
            statement=self.statement,
            source=self.source,
            protocol=design.protocol,
            arms=design.arms,
            rule=design.rule,
            target=() if design.is_general else (ground.domain,),
            quick=self.quick,
            full=self.full,
        )

    def tried(self, ground: Ground, *, full: bool = False, seed: int = 0) -> Trial:
        """Errors as of `bench.run`."""
        claim = self.claim(ground)
        return run(claim, self.study(ground, self.full if full else self.quick), full=full, seed=seed)
