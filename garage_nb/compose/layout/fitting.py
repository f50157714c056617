"""Fitting: whether a part can stand at a place of the result, in words that name both sides."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import BuildError
from ...registry.adapters import APART, Judgement, Verdict, judge
from ...registry.traits import sort_of, sorts
from .donors import Donor
from .layout import Occupant

_SPOKEN = ("embedding", "output_head")
_OF_WORDS = {"tokens", "vocabulary", "weights"}  # of which there are as many rows as tokens


def fit(guest: Occupant, host: Occupant) -> Judgement:
    """How a part would stand where another does. Other tokens do not count yet: embedding and head may come as one."""
    found = judge(sort_of(guest.donor.spec, guest.part), sort_of(host.donor.spec, host.part))
    if guest.part.part_type.value in _SPOKEN and set(found.differing) <= _OF_WORDS:
        return Judgement(Verdict.AS_IS, differing=found.differing, reason=found.reason)
    return found


def demand_fit(guest: Occupant, host: Occupant) -> None:
    """BuildError where the guest's weights would not do there what they do at home, naming both sides."""
    if guest.part.part_type is not host.part.part_type:
        raise BuildError(f"{guest} is no {host.part.part_type.value}, as {host} is.", "Swap parts of one kind.")
    found = fit(guest, host)
    if found.verdict is not Verdict.AS_IS and sees_as_another(guest, host):
        return
    if found.verdict is not Verdict.AS_IS:
        raise BuildError(f"{guest} does not fit in the place of {host}: {found.reason}.", _way_out(found))


def sees_as_another(guest: Occupant, host: Occupant) -> bool:
    """Whether an attention differs from its host in what it sees alone, and sees as another of the host's model does.

    Such a model's config says of each layer how far it sees, so the guest brings that along.
    """
    mine = sort_of(guest.donor.spec, guest.part)
    differing = set(judge(mine, sort_of(host.donor.spec, host.part)).differing)
    if mine.kind != "attention" or not differing or not differing <= {"window", "positions", "settings"}:
        return False
    return any(not judge(mine, kind).differing for kind in sorts(host.donor.spec, mine.kind))


def demand_blocks(blocks: Iterable[tuple[Donor, int]], base: Donor) -> None:
    """Blocks of another model must be of a kind that the base has too: one config has to describe them all."""
    others = dict.fromkeys((donor, layer) for donor, layer in blocks if donor is not base)
    known = sorts(base.spec, "full_layer") if others else []
    for donor, layer in others:
        mine = sort_of(donor.spec, donor.spec.get_full_layer(layer))
        found = min((judge(mine, other) for other in known), key=lambda one: one.rank)
        if found.verdict is not Verdict.AS_IS:
            raise BuildError(
                f"layer_{layer} of {donor.name} does not fit among the layers of {base.name}: {found.reason}.",
                _way_out(found),
            )


def _way_out(found: Judgement) -> str:
    """A half or a layer of another kind comes in with maps around it."""
    needed = ", ".join(adapter for adapter in found.adapters if adapter != APART)
    first = f"It would need {needed}. " if needed else ""
    return f"{first}Join a half or a layer by --adapter fit, or take one of a model of that kind."
