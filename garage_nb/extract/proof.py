"""Proof that a part taken out gives on its own what it gives in the model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..core.attach import hooks_of_others, hooks_of_ours
from ..core.batch import probe
from ..core.rounding import allowed_rounding
from ..core.run import read
from ..core.sites import Read, Site, leaving
from ..errors import GarageError, UnsupportedModelError
from ..registry.part_spec import PartSpec, PartType
from .chain import links
from .lone import LoneExpert, Tail, chosen_alone, part_inside
from .part import ContextPart, ExtractedPart

_ON_HIDDEN_STATES = (PartType.FFN, PartType.LAYER_NORM, PartType.OUTPUT_HEAD)


@dataclass(frozen=True)
class Agreement:
    """`error` is the largest difference, relative to the largest value of what was expected."""

    error: float
    holds: bool


def agree(found: Tensor, expected: Tensor) -> Agreement:
    if found.shape != expected.shape:
        return Agreement(float("inf"), False)
    largest = expected.abs().max().clamp(min=torch.finfo(expected.dtype).tiny)
    error = float((found - expected).abs().max() / largest)
    return Agreement(error, error <= allowed_rounding(expected.dtype))


def proved(model: nn.Module, part: PartSpec, taken: ExtractedPart) -> ExtractedPart:
    """The part, whose description says how near it is to the part in the model, where the two can be compared.

    UnsupportedModelError where the part depends on what other blocks hand over (T5's position bias), or fails.
    """
    if not isinstance(taken, ContextPart) and part.part_type not in _ON_HIDDEN_STATES:
        return taken  # it takes token ids, or answers no hidden states
    units = taken.description.units
    if units is not None and units.kind == "expert" and not isinstance(taken.module, LoneExpert):
        return taken  # a module of its own, which may answer for no token of a short prompt
    if any(hooks_of_others(module) or hooks_of_ours(module) for module in _modules(model, part)):
        return taken  # hooks change what the part gives in the model; the copy has none
    found = _compared(model, part, taken)
    if found is not None and not found.holds:
        raise refusal(taken, "it gives something else than in the model")
    taken.description = replace(taken.description, error=None if found is None else found.error)
    return taken


def _compared(model: nn.Module, part: PartSpec, taken: ExtractedPart) -> Agreement | None:
    """None for what is called with more than hidden states, as BLOOM's ffn is."""
    given, gave = _in_the_model(model, part, taken)
    try:
        with torch.no_grad():
            return agree(leaving(taken(given)), gave)
    except GarageError:
        raise
    except Exception as error:  # whatever a stranger's module raises is the reason
        if isinstance(taken, ContextPart) or taken.description.units is not None or len(links(part)) > 1:
            raise refusal(taken, f"it raises {type(error).__name__}") from error
        return None


def _modules(model: nn.Module, part: PartSpec) -> Iterable[nn.Module]:
    return (module for path in links(part) for module in model.get_submodule(path).modules())


def _in_the_model(model: nn.Module, part: PartSpec, taken: ExtractedPart) -> tuple[Tensor, Tensor]:
    """What enters and leaves the part there, of units what their share is made of."""
    module, info, turn = taken.module, part.extra_info, part.extra_info.get("turn")
    entrance = Site(links(part)[0], "input", turn)
    if isinstance(module, LoneExpert):
        (tokens,) = _seen(model, Site(info["experts"], "input", turn))
        assert taken.description.units is not None
        with torch.no_grad():
            index = taken.description.units.indices[0]
            return tokens, chosen_alone(model.get_submodule(info["experts"]), tokens, index)
    tail = next((one for one in module.modules() if isinstance(one, Tail)), None)
    if tail is not None:
        given, entered = _seen(model, entrance, Site(info["projection"], "input", info.get("projection_turn")))
        return given, tail.share(entered[..., taken.description.columns]).reshape(*given.shape[:-1], -1)
    left = part.module_path if part_inside(model, part) is None else part.read_at
    given, gave = _seen(model, entrance, Site(left, "output", turn))
    return given, gave


def _seen(model: nn.Module, *sites: Site) -> list[Tensor]:
    seen: dict[Site, Tensor] = {}
    taps = [Read(site, lambda hidden, site=site: seen.update({site: hidden.clone()})) for site in sites]  # type: ignore[misc]
    read(model, probe(model), taps)
    return [seen[site] for site in sites]


def refusal(taken: ExtractedPart, why: str) -> UnsupportedModelError:
    known = taken.description
    return UnsupportedModelError(
        f"{known.name} of {known.model_id} cannot run on hidden states alone: {why}.",
        "It needs more than its decoder tells it. Read or change it in the model.",
    )
