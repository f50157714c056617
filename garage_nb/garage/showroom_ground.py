"""The showroom as a ground for claims: which embedded models stand to each other how, and on which items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analyze.judging.exercise import Exercise
from ..methods.studies.ground import COPY, EXPERTS, OTHER_CLASS, OTHER_SIBLING, SIBLING, STRANGER, Ground
from ..registry.lift import lift
from ..showroom.domains import DOMAINS
from .showroom_pools import different

DOMAIN, OTHER_DOMAIN = "sorting", "arithmetic"
MODELS = {
    SIBLING: "showroom-llama-sorting",
    OTHER_SIBLING: "showroom-llama-arithmetic",
    COPY: "showroom-llama-sorting",
    STRANGER: "showroom-llama-seed1",
    OTHER_CLASS: "showroom-gpt2",
    EXPERTS: "showroom-moe",
}
FITTED, CHOSEN, TESTED = 200, 60, 400  # items of a domain


@dataclass(frozen=True)
class ShowroomGround:
    """The showroom's for claims that need these, by name: models and items come with the package."""

    needs: tuple[str, ...]

    def opened(self) -> Ground:
        return showroom_ground(self.needs)


def showroom_ground(needs: Sequence[str]) -> Ground:
    """Sorting and sums of the harder level, which siblings were trained further on; of all else the standard items.

    A claim that needs no sibling is asked of sums: the target itself sorts too few of the harder lists to lose any.
    """
    own, other = (DOMAIN, OTHER_DOMAIN) if SIBLING in needs else (OTHER_DOMAIN, DOMAIN)
    trained = {domain: _different(domain, "train", FITTED + CHOSEN) for domain in DOMAINS}
    return Ground(
        target=lift("showroom-llama"),
        others={role: lift(MODELS[role]) for role in needs},
        domain=own,
        other_domain=other,
        fit={domain: items[:FITTED] for domain, items in trained.items()},
        choose={domain: items[FITTED:] for domain, items in trained.items()},
        test={domain: _different(domain, "test", TESTED) for domain in DOMAINS},
    )


def _different(domain: str, split: str, count: int) -> list[Exercise]:
    level = "hard" if domain in (DOMAIN, OTHER_DOMAIN) else "standard"
    return different(domain, split, level, count, "claims")
