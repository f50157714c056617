"""Places: which doors the taps at one side of one module need, one for each kind of tap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from torch import nn

from ..errors import EditError
from .attention import INSIDE
from .doors import CallDoor, ChoiceDoor, ChosenByDoor, Door, EndDoor, ExpertDoor, ReadDoor, WatchDoor, WriteDoor
from .inside import ChosenDoor, RoutingDoor, StreamDoor, inside
from .owner import Owner
from .sites import Call, Read, Tap, Watch, Write
from .units import Expert

Place = tuple[str, str]  # the path of a module, and which side of it

_WITHIN: dict[str, Callable[[Door], Door]] = {
    "stream": StreamDoor,
    "chosen": ChosenDoor,
    "routing": RoutingDoor,
    **{side: partial(inside, side=side) for side in INSIDE},
}
_READ_ONLY = {
    "pattern": "Change what it is made of: attention_3.q or attention_3.k",
    "chosen": "Change the logits that they are chosen by, gate_3, or what the experts give, ffn_3.expert_1",
}


def by_place(taps: Iterable[Tap]) -> dict[Place, list[Tap]]:
    """One place, one door of each kind: edits of a part and of its heads act in the order they were given."""
    groups: dict[Place, list[Tap]] = {}
    for tap in taps:
        groups.setdefault((tap.site.path, tap.site.side), []).append(tap)
    return groups


def doors_for(owner: Owner, module: nn.Module, side: str, taps: Sequence[Tap]) -> list[Door]:
    """What the taps at one place need. EditError for an edit of what can only be read."""
    for tap in taps:
        if isinstance(tap, Write):
            demand_writable(side, tap.said or str(tap.site))
    if side == "choice":
        return _doors_to_choice(owner, module, taps)
    within = _WITHIN.get(side)
    if within is None:
        return _doors(owner, module, side, taps)
    return [within(door) for door in _doors(owner, module, "output" if side == "chosen" else "input", taps)]


def _doors(owner: Owner, module: nn.Module, side: str, taps: Sequence[Tap]) -> list[Door]:
    writes = [tap for tap in taps if isinstance(tap, Write)]
    reads = [tap for tap in taps if isinstance(tap, Read)]
    to_experts = [write for write in writes if isinstance(write.site.unit, Expert)]
    others = [write for write in writes if not isinstance(write.site.unit, Expert)]
    doors: list[Door] = [CallDoor(owner, module, side, tap.fn) for tap in taps if isinstance(tap, Call)]
    doors += [WatchDoor(owner, module, side, tap) for tap in taps if isinstance(tap, Watch)]
    if to_experts:
        doors += [expert := ExpertDoor(owner, module, side, to_experts), EndDoor(expert)]
    if others:
        doors.append(WriteDoor(owner, module, side, others))
    if reads:
        doors.append(ReadDoor(owner, module, side, reads))
    return doors


def _doors_to_choice(owner: Owner, module: nn.Module, taps: Sequence[Tap]) -> list[Door]:
    writes = [tap for tap in taps if isinstance(tap, Write)]
    reads = [tap for tap in taps if isinstance(tap, Read)]
    doors: list[Door] = []
    if writes:
        doors += [door := ChoiceDoor(owner, module, WriteDoor(owner, module, "output", writes)), EndDoor(door)]
    if reads:
        doors.append(ChosenByDoor(owner, module, ReadDoor(owner, module, "output", reads)))
    return doors


def demand_writable(side: str, said: str) -> None:
    """EditError for a side of a module that can only be read."""
    if side in _READ_ONLY:
        raise EditError(f"{said} can be read, not changed.", _READ_ONLY[side])
