"""Taking: a part of a model, whole or some units of it, as a module of its own. The model stays as it is.

It needs no numbers: of a model whose weights are on the meta device it makes the same module, to be filled from a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.seed import seeded
from ..errors import GarageError, InputError, UnsupportedModelError
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec
from .copying import copied
from .cut import Uncuttable, cut_to_heads, cut_to_neurons
from .description import Form, PartDescription
from .donor import Donor
from .hollow import Hollow
from .lone import LoneExpert, Tail, leave_at, part_inside
from .offloaded import brought, fill
from .part import ContextPart, ExtractedPart, FreePart
from .proof import agree, refusal
from .wanted import Units, Wanted, whole_module

_IN_CONTEXT = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FULL_LAYER)
_EXPERTS = re.compile(r"(^|\.)experts?$")


@dataclass(frozen=True)
class Source:
    """A live model and its catalogue."""

    model: nn.Module
    spec: ModelSpec


def taken(source: Source, wanted: Wanted, form: Form | None = None) -> ExtractedPart:
    """In evaluation mode. `form` says how units are cut out; None finds out, which takes numbers."""
    part = whole_module(source.spec, wanted.part)
    if wanted.units is None:
        form = Form.WHOLE if part_inside(source.model, part) is None else Form.ADDED
        return _as_part(source, wanted, _whole(source, part), form)
    if wanted.units.kind == "expert":
        return _as_part(source, wanted, _expert(source, part, wanted.units.indices[0]), Form.CUT)
    if form is None:
        return _best(source, part, wanted)
    return _as_part(source, wanted, _lone(source, part, wanted.units, form), form)


def _as_part(source: Source, wanted: Wanted, module: nn.Module, form: Form) -> ExtractedPart:
    part, description = source.spec.parts[wanted.part], _description(source, wanted, module, form)
    donor = Donor.of(source.model, source.spec, wanted.part)
    if part.part_type in _IN_CONTEXT:
        hollow = Hollow(source.model, source.spec, part)
        return ContextPart(module, description, donor, hollow).eval()
    return FreePart(module, description, donor).eval()


def _instead(part: ExtractedPart, module: nn.Module) -> ExtractedPart:
    """The same part with its units cut out."""
    parameters = sum(parameter.numel() for parameter in module.parameters())
    description = replace(part.description, form=Form.CUT, parameters=parameters)
    if isinstance(part, ContextPart):
        return ContextPart(module, description, part.donor, part.hollow).eval()
    return FreePart(module, description, part.donor).eval()


def _whole(source: Source, part: PartSpec) -> nn.Module:
    copy = _copy(source, part.module_path)
    if (inner := part_inside(source.model, part)) is not None:
        leave_at(copy.get_submodule(inner))
    return copy


def _copy(source: Source, path: str) -> nn.Module:
    copy = copied(source.model.get_submodule(path))
    fill(copy, brought(source.model, path))
    return copy


def _lone(source: Source, part: PartSpec, units: Units, form: Form) -> nn.Module:
    path, last = part.module_path, part.extra_info["projection"]
    if not last.startswith(f"{path}."):
        raise InputError(f"{last} is not inside {path}.", f"Take the whole layer out: layer_{part.layer_idx}.")
    whole = _copy(source, path)
    columns = torch.tensor(columns_of(part, units))
    if form is Form.CUT:
        (cut_to_heads if units.kind == "head" else cut_to_neurons)(whole, path, part, units.indices)
    owner, _, name = last.removeprefix(f"{path}.").rpartition(".")
    tail = Tail(whole.get_submodule(last.removeprefix(f"{path}.")), columns, picks=form is Form.MASKED)
    setattr(whole.get_submodule(owner), name, tail)
    return whole


def _expert(source: Source, part: PartSpec, index: int) -> nn.Module:
    fused = part.extra_info.get("experts")
    if fused is not None:
        return _of_fused(source, fused, index, part.extra_info["num_experts"])
    inside = source.model.get_submodule(part.module_path).named_modules()
    lists = [path for path, module in inside if isinstance(module, nn.ModuleList | nn.ModuleDict)]
    found = next((path for path in lists if _EXPERTS.search(path)), None)
    if found is None:
        raise UnsupportedModelError(
            f"The experts of {part.module_path} are no list of modules.", "Take the whole part out."
        )
    names = list(source.model.get_submodule(f"{part.module_path}.{found}")._modules)
    return _copy(source, f"{part.module_path}.{found}.{names[index]}")


def _of_fused(source: Source, path: str, index: int, count: int) -> nn.Module:
    """Of weights that all experts share only this one's are copied, (1, …)."""

    def own(weight: Tensor) -> Tensor:
        is_shared = weight.ndim > 1 and weight.shape[0] == count
        return (weight.detach()[index : index + 1] if is_shared else weight.detach()).clone()

    module = source.model.get_submodule(path)
    weights = [one for one in module._parameters.values() if one is not None]
    instead = {id(one): nn.Parameter(own(one), requires_grad=one.requires_grad) for one in weights}
    experts = copied(module, instead)
    fill(experts, {name: own(weight) for name, weight in brought(source.model, path).items()})
    return LoneExpert(experts, count)


def _best(source: Source, part: PartSpec, wanted: Wanted) -> ExtractedPart:
    """Cut out where that gives the same as the whole part with the other units masked; else masked, and why."""
    assert wanted.units is not None
    try:
        masked = _as_part(source, wanted, _lone(source, part, wanted.units, Form.MASKED), Form.MASKED)
    except Uncuttable as error:
        raise UnsupportedModelError(
            f"{wanted} of {source.spec.model_id} cannot be taken out: {error}.", "Take the whole part out."
        ) from None
    try:
        cut = _instead(masked, _lone(source, part, wanted.units, Form.CUT))
        if _agree(cut, masked):
            return cut
        why = "cut out it gives something else"
    except Uncuttable as error:
        why = str(error)
    masked.description = replace(masked.description, unlike=why)
    return masked


@torch.no_grad()
def _agree(cut: ExtractedPart, masked: ExtractedPart) -> bool:
    hidden = _hidden(masked)
    try:
        expected = masked(hidden)
    except GarageError:
        raise
    except Exception as error:  # whatever a stranger's module raises is the reason
        raise refusal(masked, f"it raises {type(error).__name__}") from error
    try:
        return agree(cut(hidden), expected).holds
    except GarageError:
        raise
    except Exception as error:  # whatever a family's own code makes of fewer heads
        raise Uncuttable(f"cut out it raises {type(error).__name__}") from error


def _hidden(part: ExtractedPart) -> torch.Tensor:
    """Seeded hidden states for a part: two rows, for what is folded with heads shows in the second only."""
    known, weight = part.description, next(part.parameters())
    drawn = torch.randn(2, min(8, known.max_seq_len or 8), known.input_dim, generator=seeded(0))
    return drawn.to(weight.device, weight.dtype)


def _description(source: Source, wanted: Wanted, module: nn.Module, form: Form) -> PartDescription:
    spec, part = source.spec, source.spec.parts[wanted.part]
    return PartDescription(
        model_id=spec.model_id, name=str(wanted), family=spec.family, input_dim=part.input_dim,
        output_dim=part.output_dim, max_seq_len=spec.max_seq_len, tied=_tied(source, part.module_path),
        parameters=sum(parameter.numel() for parameter in module.parameters()), part=wanted.part,
        units=wanted.units, form=form, columns=columns_of(part, wanted.units),
    )  # fmt: skip


def columns_of(part: PartSpec, units: Units | None) -> tuple[int, ...]:
    """Which columns of what enters the last projection are theirs; none for the whole part or an expert."""
    if units is None or units.kind == "expert":
        return ()
    width = part.head_dim or 1 if units.kind == "head" else 1
    return tuple(column for one in units.indices for column in range(one * width, (one + 1) * width))


def _tied(source: Source, path: str) -> str:
    """Which weights of the module at `path` are also another's in the model, in words."""
    weights = dict(source.model.named_parameters(remove_duplicate=False))
    own = {id(weight): name for name, weight in weights.items() if name.startswith(f"{path}.")}
    pairs = [(own[id(weight)], name) for name, weight in weights.items() if id(weight) in own]
    pairs += [pair for pair in _tied_by_name(source.model) if weights[pair[0]].is_meta and pair not in pairs]
    shared = [
        f"its {mine.removeprefix(f'{path}.')} is also that of {source.spec.name(other.rpartition('.')[0])} in the model"
        for mine, other in pairs
        if mine.startswith(f"{path}.") and not other.startswith(f"{path}.")
    ]
    return f"{', '.join(shared)}, but here it is on its own" if shared else ""


def _tied_by_name(model: Any) -> list[tuple[str, str]]:
    """As transformers has it, both ways: what is kept elsewhere is no longer one tensor."""
    known = dict(getattr(model, "all_tied_weights_keys", None) or {})
    return [*known.items(), *((source, target) for target, source in known.items())]
