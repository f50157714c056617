"""Bench: a claim is tried on a study, quick or full; the same seed gives the same table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import torch

from ..core.cancel import cancel_in_force, cancellable
from ..core.progress import progress
from ..errors import InputError, shortened
from .claim import Claim, Effort, Role
from .outcomes import Item, Marks, Outcomes
from .trial import Trial


class Study(Protocol):
    """What runs the arms of a claim on models and items of its own."""

    @property
    def model_id(self) -> str:
        """What the runs are of."""

    def items(self, count: int) -> Sequence[Item]:
        """So many of each domain; the same ones whenever it is asked."""

    def arms(self, seed: int, items: Sequence[Item]) -> Iterator[tuple[str, Marks]]:
        """One arm after the other, by name, each on all items. All that is drawn is drawn by the seed."""


def run(claim: Claim, study: Study, *, full: bool = False, seed: int = 0) -> Trial:
    """Under as many seeds as the claim says, from `seed` upwards.

    InputError for a study that is not of this claim, or whose no-ops differ; CancelledError between two arms. Nothing
    is kept of what was begun.
    """
    effort = claim.full if full else claim.quick
    items = study.items(effort.items)
    return trial_of(claim, study, items, _runs(claim, study, items, effort, seed))


def trial_of(claim: Claim, study: Study, items: Sequence[Item], runs: Mapping[int, Mapping[str, Marks]]) -> Trial:
    """Of the marks of every arm by seed, the first seed first. InputError where no-ops differ."""
    outcomes = Outcomes.of(claim.key, study.model_id, items, runs)
    demand_no_ops_alike(claim, outcomes)
    return Trial(claim=claim, outcomes=outcomes, model_id=study.model_id, seed=outcomes.seeds[0])


def demand_no_ops_alike(claim: Claim, outcomes: Outcomes) -> None:
    """InputError where an arm that does nothing did something: then no other number can be trusted either."""
    first, *others = (outcomes.arms.index(arm) for arm in claim.named(Role.NO_OP))
    for other in others:
        apart = (outcomes.log_probs[:, other] != outcomes.log_probs[:, first]).any(0)
        apart |= (outcomes.right[:, other] != outcomes.right[:, first]).any(0)
        if bool(apart.any()):
            raise InputError(
                f"{outcomes.arms[other]!r} should do nothing, and differs from {outcomes.arms[first]!r} on"
                f" {int(apart.sum())} of {len(apart)} items.",
                "Mend the study: what it says of the other arms cannot be trusted.",
            )


def _runs(
    claim: Claim, study: Study, items: Sequence[Item], effort: Effort, seed: int
) -> Mapping[int, Mapping[str, Marks]]:
    seeds = range(seed, seed + effort.seeds)
    with progress(f"trying {claim.key}", "run", len(seeds) * len(claim.arms)) as bar:
        return {one: marks_under(claim, study, items, one, bar.update) for one in seeds}


def marks_under(
    claim: Claim, study: Study, items: Sequence[Item], seed: int, tell: Callable[[], object] = lambda: None
) -> Mapping[str, Marks]:
    """Of every arm under one seed, in the claim's order; `tell` is called after each. Errors as of `run`."""
    wanted, found = [arm.name for arm in claim.arms], dict[str, Marks]()
    with cancellable(cancel_in_force()) as cancel:
        cancel.demand_not_asked()
        for name, marks in study.arms(seed, items):
            cancel.demand_not_asked()
            _demand_of_claim(claim, name, found, marks, len(items))
            found[name] = marks
            tell()
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"The study of {claim.key} ran no {shortened(missing)}.", "Run every arm it names.")
    return {name: found[name] for name in wanted}


def _demand_of_claim(claim: Claim, name: str, found: Mapping[str, Marks], marks: Marks, count: int) -> None:
    """At once, not after an hour."""
    if name not in [arm.name for arm in claim.arms] or name in found:
        raise InputError(f"{claim.key} has no arm {name!r}, or it was run already.", "Run every arm of it once.")
    for values in (marks.right, marks.log_probs, *marks.readings.values()):
        if not isinstance(values, torch.Tensor) or tuple(values.shape) != (count,):
            raise InputError(f"{name!r} of {claim.key} is not marked on {count} items.", "Mark each item once.")
