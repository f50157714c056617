"""Begun: a claim made ready on its ground, the same on every machine, and the digest that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...core.fingerprint import AtRest
from ...core.sealed import digest
from ...fleet.driving.task import versions
from ...registry.lift import Lifted
from ..bench import Study
from ..claim import Claim, Effort
from ..outcomes import Item
from ..proposal import Proposal
from ..studies.ground import Ground, Pool


class NamedGround(Protocol):
    """A ground by the names of its models: a small value that can be compared, and sent anywhere."""

    def __hash__(self) -> int: ...

    def opened(self) -> Ground:
        """Errors as of `lift`."""


@dataclass(frozen=True, eq=False)
class Begun:
    """`digest` is of all that the marks of a run depend on but the seed: the claim's text and rule, the effort, weights
    and items of the ground, and the versions at work.
    """

    claim: Claim
    study: Study
    items: Sequence[Item]
    digest: str

    @classmethod
    def of(cls, proposal: Proposal, ground: Ground, effort: Effort) -> Begun:
        """Errors as of `Proposal.claim`."""
        claim, study = proposal.claim(ground), proposal.study(ground, effort)
        return cls(claim, study, study.items(effort.items), _digest(claim, ground, effort))


def _digest(claim: Claim, ground: Ground, effort: Effort) -> str:
    said = (claim.key, claim.statement, claim.protocol, claim.arms, claim.rule, claim.target)
    models = {role: _read_as(one) for role, one in {"": ground.target, **ground.others}.items()}
    pools = [_asked(one) for one in (ground.fit, ground.choose, ground.test)]
    whole = (said, effort, models, ground.domain, ground.other_domain, pools, versions())
    return digest(repr(whole).encode())


def _read_as(lifted: Lifted) -> tuple[str, object]:
    return AtRest.of(lifted.model).digest, lifted.spec.extra_info.get("tokenizer")


def _asked(pool: Pool) -> list[tuple[str, object]]:
    return [(domain, tuple(one.ways for one in several)) for domain, several in pool.items()]
