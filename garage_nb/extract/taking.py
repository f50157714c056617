"""Taking: a part of a model, whole or some units of it, as a module of its own. The model stays as it is.

It needs no numbers: of a model whose weights are on the meta device it makes the same module, to be filled from a file.
"""

from __future__ import annotations

from torch import nn

from ..registry.part_spec import PartSpec, PartType
from .chain import Chain, links
from .choosing import cut_or_masked
from .description import Form, PartDescription
from .donor import Donor
from .experts import lone_expert
from .hollow import Hollow
from .lone import leave_at, part_inside
from .part import ContextPart, ExtractedPart, FreePart
from .source import Source
from .tied import tied
from .units import columns_of, lone_units
from .wanted import Wanted

_IN_CONTEXT = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FULL_LAYER)


def taken(source: Source, wanted: Wanted, form: Form | None = None) -> ExtractedPart:
    """In evaluation mode. `form` says how units are cut out; None finds out, which takes numbers."""
    part, units = source.spec.parts[wanted.part], wanted.units
    if units is None:
        form = Form.WHOLE if part_inside(source.model, part) is None else Form.ADDED
        return _as_part(source, wanted, _whole(source, part), form, _around(source, part))
    if units.kind == "expert":
        return _as_part(source, wanted, lone_expert(source, part, units.indices[0]), Form.CUT, _around(source, part))
    around = _around(source, part)

    def made(how: Form) -> ExtractedPart:
        return _as_part(source, wanted, lone_units(source, part, units, how), how, around)

    return cut_or_masked(made, f"{wanted} of {source.spec.model_id}") if form is None else made(form)


def _around(source: Source, part: PartSpec) -> Hollow | None:
    """What prepares its call, of a part that looks at several tokens."""
    return Hollow(source.model, source.spec, part) if part.part_type in _IN_CONTEXT else None


def _as_part(source: Source, wanted: Wanted, module: nn.Module, form: Form, around: Hollow | None) -> ExtractedPart:
    description = _description(source, wanted, module, form)
    donor = Donor.of(source.model, source.spec, wanted.part)
    if around is not None:
        return ContextPart(module, description, donor, around).eval()
    return FreePart(module, description, donor).eval()


def _whole(source: Source, part: PartSpec) -> nn.Module:
    copy = source.part(part)
    if (inner := part_inside(source.model, part)) is not None:
        leave_at(copy.get_submodule(inner))
    return copy


def _description(source: Source, wanted: Wanted, module: nn.Module, form: Form) -> PartDescription:
    spec, part = source.spec, source.spec.parts[wanted.part]
    wide = module.input_dim if isinstance(module, Chain) else None
    return PartDescription(
        model_id=spec.model_id, name=str(wanted), family=spec.family, input_dim=wide or part.input_dim,
        output_dim=part.output_dim, max_seq_len=spec.max_seq_len, tied=tied(source.model, spec, links(part)),
        parameters=sum(parameter.numel() for parameter in module.parameters()), part=wanted.part,
        units=wanted.units, form=form, columns=columns_of(part, wanted.units),
    )  # fmt: skip
