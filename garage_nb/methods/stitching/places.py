"""Places: the parts of one kind that a stitching matrix is about, and a place that passes on what came to it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...compose.layout.pairing import demand_whole
from ...core.sites import Read, Tap, Write
from ...errors import InputError
from ...inject.edits import Scale
from ...registry.part_spec import PartType
from ...registry.selecting import Selector
from ...registry.specs import ModelSpec

KINDS = (PartType.FULL_LAYER, PartType.ATTENTION, PartType.FFN, PartType.MIXER)


def places_of(spec: ModelSpec, selector: Selector) -> list[str]:
    """Whole parts of one kind, in the order said. Errors as of `ModelSpec.select`, InputError for other kinds."""
    names = spec.select(selector)
    demand_whole(names, spec)
    kinds = {spec.part(name).part_type for name in names}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        said = ", ".join(sorted(kind.value for kind in kinds))
        raise InputError(
            f"A stitching matrix of {said} was asked for.", "Name parts of one kind: layer_*, attention_*, ffn_*."
        )
    return names


def without(spec: ModelSpec, place: str) -> Sequence[Tap]:
    """Fresh taps for one pass in which nothing stands at the place: a half adds nothing to the residual stream, and
    what enters a layer leaves it.
    """
    if spec.part(place).part_type is not PartType.FULL_LAYER:
        return [Scale(place, 0.0).tap(spec)]
    entered: list[Tensor] = []

    def passed_on(hidden: Tensor, touched: Tensor | None) -> Tensor:
        return entered.pop()

    enters = Read(spec.site(f"{place}.before"), lambda hidden: entered.append(hidden.clone()))
    return [enters, Write(spec.site(place), passed_on, f"nothing at {place}")]
