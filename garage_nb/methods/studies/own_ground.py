"""Own ground: a claim on models and items of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from ...analyze.judging.exercise import Exercise
from ...errors import InputError
from ...registry.lift import Lifted
from .ground import EXPERTS, MADE_OF, Ground, Pool

FIT, CHOOSE = 50, 65  # of a hundred items: to fit on, and up to there to choose by; the rest tests


def own_ground(
    target: Lifted,
    others: Sequence[Lifted],
    needs: Sequence[str],
    exercises: Sequence[Exercise],
    domains: Sequence[str],
) -> Ground:
    """`others` in the order of `needs`; a model of experts is the target itself. `domains` are the one that the claim
    is about and the other sibling's; the first of the items when none is named. What an item is for is in what it asks:
    one prompt always lands on the same side, with whatever answer. InputError for too few models or items, or a domain
    that none has.
    """
    known = list(dict.fromkeys(one.domain for one in exercises))
    if odd := [one for one in domains if one not in known]:
        raise InputError(f"No item is of {odd[0]!r}.", f"There are: {', '.join(known)}.")
    fit, choose, test = (_part(exercises, *ends) for ends in ((0, FIT), (FIT, CHOOSE), (CHOOSE, 100)))
    named = list(dict.fromkeys([*domains, *known]))
    return Ground(
        target=target,
        others=_by_role(target, others, needs),
        domain=named[0],
        other_domain=named[1] if len(named) > 1 else "",
        fit=fit,
        choose=choose,
        test=test,
    )


def _by_role(target: Lifted, others: Sequence[Lifted], needs: Sequence[str]) -> Mapping[str, Lifted]:
    wanted = [role for role in needs if role != EXPERTS]
    if len(others) != len(wanted):
        said = "; ".join(MADE_OF[role] for role in wanted) or "none"
        raise InputError(f"This claim takes: {said}. Given: {len(others)}.", "Name its models in that order.")
    return {**dict(zip(wanted, others, strict=True)), **({EXPERTS: target} if EXPERTS in needs else {})}


def _part(exercises: Sequence[Exercise], start: int, end: int) -> Pool:
    found: dict[str, list[Exercise]] = {}
    for one in exercises:
        if start <= _place(one) < end:
            found.setdefault(one.domain, []).append(one)
    return found


def _place(exercise: Exercise) -> int:
    """0 to 99, by what it asks alone."""
    return int.from_bytes(blake2b(exercise.given.encode(), digest_size=4).digest(), "big") % 100
