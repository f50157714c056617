"""FFN output: as `projected`, where the ffns of both models leave what they add to the residual stream.

The source's ffn stands in for the target's, in the target's dimensions. Its inner neurons are not projected: their
number is no width of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....core.parts import parse
from ....errors import EditError
from ....registry.lift import Lifted
from ..blade import Blade
from .kind import Kind
from .projected import PROJECTED, fit_projected


def _shapes(blade: Blade) -> dict[str, tuple[int, ...]]:
    for place in (blade.place, blade.source_place):
        demand_ffn(place)
    return dict(PROJECTED.shapes(blade))


FFN_OUTPUT = Kind("ffn_output", True, _shapes, PROJECTED.act)


def fit_ffn_output(
    name: str,
    target: Lifted,
    place: str,
    source: Lifted,
    prompts: Sequence[str],
    *,
    source_place: str | None = None,
    how: str = "least_squares",
) -> Blade:
    """As `fit_projected`. EditError for places that are no ffns."""
    there = place if source_place is None else source_place
    for lifted, asked in ((target, place), (source, there)):
        demand_ffn(lifted.spec.name(asked))
    return fit_projected(name, target, place, source, prompts, source_place=there, how=how, kind=FFN_OUTPUT)


def demand_ffn(place: str) -> None:
    address = parse(place)
    if address is None or address.kind != "ffn" or address.unit is not None:
        raise EditError(f"{place[:40]} is no ffn.", "Name one in both models: ffn_3.")
