"""Offers: where in the result a part could go, each place with a verdict in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...errors import BuildError
from ...registry.adapters import Verdict
from ...registry.part_spec import PartType
from ..graft import Swap
from ..layout.check import FITS, REFUSED
from ..layout.fitting import fit
from ..layout.layout import Layout, Occupant
from ..ref import Ref
from .stacking import Donors, blocks_of
from .worktop import Worktop, laid, spec_of, swap_that_fits

ADAPTER = Verdict.ADAPTER.value


@dataclass(frozen=True)
class Offer:
    """A place of the result, or a gap between two layers. The verdict is FITS, ADAPTER or REFUSED; `words` say why."""

    place: str
    verdict: str
    words: str


def offers(worktop: Worktop, part: Ref, donors: Donors) -> list[Offer]:
    """For every place of the part's kind, and for a layer every gap too, bottom to top. Nothing is changed.

    BuildError for a donor that is not there, UnknownPartError for a part that it does not have.
    """
    layout = laid(worktop.grafts, donors)
    kind = spec_of(part, layout, donors).part(part.parts).part_type
    alike = [name for name, there in layout.spec.parts.items() if part.donor and there.part_type is kind]
    swaps = [
        _offer(place, lambda at: _said(swap_that_fits(part, at, layout, donors), layout, donors)) for place in alike
    ]
    return [*swaps, *(_gaps(worktop, part, donors) if kind is PartType.FULL_LAYER else ())]


def _gaps(worktop: Worktop, part: Ref, donors: Donors) -> Iterator[Offer]:
    """What holds for one gap holds for all: a block stands among those of the base, wherever that is."""
    count = len(blocks_of(worktop.grafts, donors))
    top = _offer(f"gap_{count}", lambda at: _tried(worktop, part, at, donors))
    for gap in range(count + 1):
        yield Offer(f"gap_{gap}", top.verdict, top.words)


def _tried(worktop: Worktop, part: Ref, at: str, donors: Donors) -> str:
    worktop.dropped(part, at, donors)
    return FITS


def _said(swap: Swap, layout: Layout, donors: Donors) -> str:
    if swap.adapter == "none":
        return FITS
    guest = Occupant(donors[swap.source.donor], swap.source.parts)
    needed = ", ".join(fit(guest, layout.occupants[swap.at]).adapters)
    return f"{ADAPTER}: {needed}, {swap.adapter}"


def _offer(place: str, tried: Callable[[str], str]) -> Offer:
    try:
        words = tried(place)
    except BuildError as error:
        return Offer(place, REFUSED, f"{REFUSED}: {error.what} {error.hint}")
    return Offer(place, words.partition(":")[0], words)
