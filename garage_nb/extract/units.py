"""Units: some heads or neurons of a part as a module, cut out with their own weights or with the others masked."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError
from ..registry.part_spec import PartSpec
from .chain import home
from .cut import cut_to_heads, cut_to_neurons
from .description import Form
from .lone import Tail
from .source import Source
from .wanted import Units


def lone_units(source: Source, part: PartSpec, units: Units, form: Form) -> nn.Module:
    """Uncuttable for what cannot be sliced so."""
    path, last = home(part), part.extra_info["projection"]
    if not last.startswith(f"{path}."):
        raise InputError(f"{last} is not inside {path}.", f"Take the whole layer out: layer_{part.layer_idx}.")
    whole = source.part(part)
    columns = torch.tensor(columns_of(part, units))
    if form is Form.CUT:
        (cut_to_heads if units.kind == "head" else cut_to_neurons)(whole, path, part, units.indices)
    owner, _, name = last.removeprefix(f"{path}.").rpartition(".")
    tail = Tail(whole.get_submodule(last.removeprefix(f"{path}.")), columns, picks=form is Form.MASKED)
    setattr(whole.get_submodule(owner), name, tail)
    return whole


def columns_of(part: PartSpec, units: Units | None) -> tuple[int, ...]:
    """Which columns of what enters the last projection are theirs; none for the whole part or an expert."""
    if units is None or units.kind == "expert":
        return ()
    width = part.head_dim or 1 if units.kind == "head" else 1
    return tuple(column for one in units.indices for column in range(one * width, (one + 1) * width))
