"""Proof that a part taken out gives on its own what it gives in the model."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..core.attach import hooks_of_others, hooks_of_ours
from ..core.batch import probe
from ..core.run import read
from ..core.sites import Read, Site
from ..errors import GarageError, UnsupportedModelError
from ..registry.part_spec import PartSpec
from .part import ExtractedPart

ROUNDINGS = 1000  # the error allowed, in units of the dtype's rounding at the largest value


def prove(model: nn.Module, part: PartSpec, taken: ExtractedPart) -> None:
    """UnsupportedModelError where the part depends on what other blocks hand over (T5's position bias), or fails."""
    if any(hooks_of_others(module) or hooks_of_ours(module) for module in _modules(model, part)):
        return  # hooks change what the part gives in the model; the copy has none
    given, gave = _in_the_model(model, part)
    taken.eval()
    try:
        with torch.no_grad():
            alone = taken(given)
    except GarageError:
        raise
    except Exception as error:  # whatever a stranger's module raises is the reason
        raise _refusal(taken, f"it raises {type(error).__name__}") from error
    largest = gave.abs().max().clamp(min=torch.finfo(gave.dtype).tiny)
    if alone.shape != gave.shape or (alone - gave).abs().max() > ROUNDINGS * torch.finfo(gave.dtype).eps * largest:
        raise _refusal(taken, "it gives something else than in the model")


def _modules(model: nn.Module, part: PartSpec) -> Iterable[nn.Module]:
    return model.get_submodule(part.module_path).modules()


def _in_the_model(model: nn.Module, part: PartSpec) -> tuple[Tensor, Tensor]:
    turn = part.extra_info.get("turn")
    seen: list[Tensor] = []
    sides = [Site(part.module_path, side, turn) for side in ("input", "output")]
    read(model, probe(model), [Read(site, lambda hidden: seen.append(hidden.clone())) for site in sides])
    return seen[0], seen[1]


def _refusal(taken: ExtractedPart, why: str) -> UnsupportedModelError:
    known = taken.description
    return UnsupportedModelError(
        f"{known.name} of {known.model_id} cannot run on hidden states alone: {why}.",
        "It needs more than its decoder tells it. Read or change it in the model.",
    )
