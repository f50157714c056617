"""Joints: how each swap of a sheet is joined to what is around it, and how else it could be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import get_args

from ...errors import BuildError
from ..graft import Adapter, Graft, Swap
from ..layout.grafting import grafted
from ..layout.layout import Layout
from .stacking import Donors, Grafts
from .worktop import Worktop


@dataclass(frozen=True)
class Joint:
    """Of a swap: `adapter` as it is, `choices` as it could be. `words` say why no adapter can be fitted, empty where
    one can.
    """

    adapter: Adapter
    choices: tuple[Adapter, ...]
    words: str = ""


def joints(grafts: Grafts, donors: Donors) -> list[Joint | None]:
    """One a graft; None for what is no swap, and for a part that takes no adapter."""
    layout, found = Layout.of(donors[""]), []
    for graft in grafts:
        found.append(_joint(graft, layout, donors))
        layout = _after(graft, layout, donors) or layout
    return found


def joined(worktop: Worktop, graft: int, adapter: str, donors: Donors) -> Worktop:
    """With another adapter at a graft, counted from 0. BuildError where it cannot be joined so."""
    there = joints(worktop.grafts, donors)
    joint = there[graft] if 0 <= graft < len(there) else None
    swap = worktop.grafts[graft] if joint is not None else None
    if joint is None or not isinstance(swap, Swap):
        raise BuildError(f"Graft number {graft} takes no adapter.", "Swaps of attentions, ffns, mixers and layers do.")
    known = next((one for one in get_args(Adapter) if one == adapter), None)
    if known not in joint.choices:
        why = joint.words if known == "fit" else f"There are: {', '.join(joint.choices)}."
        raise BuildError(f"{replace(swap, adapter='none')} cannot be joined by {adapter[:40]!r}.", why)
    grafts = (*worktop.grafts[:graft], replace(swap, adapter=known), *worktop.grafts[graft + 1 :])
    return worktop.to(grafts)


def _joint(graft: Graft, layout: Layout, donors: Donors) -> Joint | None:
    if not isinstance(graft, Swap):
        return None
    found = tuple(_ways(graft, layout, donors))
    if set(found) <= {"none"}:
        return None
    why = _unlike_tokens(graft, donors)
    others = tuple(way for way in found if way != "fit" or not why or graft.adapter == "fit")
    return Joint(graft.adapter, others, why)


def _ways(swap: Swap, layout: Layout, donors: Donors) -> Iterator[Adapter]:
    """As it is said, and others that give plain weights: a module of its own nobody is offered who did not ask."""
    for adapter in get_args(Adapter):
        after = _after(replace(swap, adapter=adapter), layout, donors)
        if adapter == swap.adapter or (after is not None and (swap.adapter != "none" or not _more(after, layout))):
            yield adapter


def _more(after: Layout, before: Layout) -> bool:
    """Whether a guest stands apart that did not before."""
    return len(after.apart) > len(before.apart)


def _after(graft: Graft, layout: Layout, donors: Donors) -> Layout | None:
    """None where it is refused."""
    try:
        return grafted(graft, layout, donors)
    except (BuildError, LookupError):
        return None


def _unlike_tokens(swap: Swap, donors: Donors) -> str:
    """Least squares hold what two models make of the same tokens against each other."""
    base, donor = donors[""], donors.get(swap.source.donor, donors[""])
    known = [who.spec.extra_info.get("tokenizer") for who in (base, donor)]
    if None not in known and known[0]["digest"] == known[1]["digest"]:  # type: ignore[index]
        return ""
    return f"{donor.name} and {base.name} do not read the same tokens."
