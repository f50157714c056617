"""Sharded: a model that several processes run together, each with a share of its weights.

transformers splits one by its tensor-parallel plan: a `colwise` module answers with a share of its outputs, a `rowwise`
one takes a share of its inputs and gives their sum. So what stands between the two is a share, of the heads or the
neurons, in a tensor that looks like any other; what enters and leaves attention, ffn and blocks is whole everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from ..errors import UnavailablePartError, UnsupportedModelError
from .sites import Site
from .units import Expert

_ENTERING, _LEAVING = ("colwise", "packed_colwise"), ("rowwise", "packed_rowwise")
_WHOLE = ("input", "output", "stream", "choice", "chosen")
_NUMBER = re.compile(r"\.\d+(?=\.|$)")


def is_split(tensor: Tensor) -> bool:
    return type(tensor).__name__ == "DTensor"  # its module takes a second to import


def own_share(tensor: Tensor) -> Tensor:
    """What this process holds of it; all of what is not split."""
    share: Tensor = tensor.to_local() if is_split(tensor) else tensor  # type: ignore[attr-defined]
    return share


def processes(model: Any) -> int:
    """How many run it together, by transformers' tensor-parallel plan."""
    return getattr(model, "_tp_size", None) or 1


def demand_whole(model: nn.Module, sites: Iterable[Site]) -> None:
    """UnavailablePartError for a place where each process has only a share."""
    if processes(model) == 1:
        return
    plan: Any = model.tp_plan
    for site in sites:
        if not _is_whole(site, tuple(plan.items())):
            raise UnavailablePartError(
                f"{site} is split: each of {processes(model)} processes has a share of it.",
                "Name whole parts: layer_*, attention_*, ffn_*; or run the model in one process.",
            )


def demand_known_split(model: nn.Module) -> None:
    """UnsupportedModelError for a stage of a pipeline, and for weights split by anything but that plan."""
    if any(type(module).__name__ == "PipelineIdentityLayer" for module in model.modules()):
        raise UnsupportedModelError(
            f"{type(model).__name__} is one stage of a pipeline: its other blocks pass on what they are given.",
            "Load it whole, or on several devices with --device-map.",
        )
    by_plan = processes(model) > 1 and (getattr(model, "_fsdp_size", None) or 1) == 1
    if not by_plan and any(map(is_split, model.parameters())):
        raise UnsupportedModelError(
            f"The weights of {type(model).__name__} are split over processes, and not by transformers' own plan.",
            "Load it whole, on several devices with --device-map, or ask through launch.",
        )


def _is_whole(site: Site, plan: tuple[tuple[str, str], ...]) -> bool:
    path, styles = _NUMBER.sub(".*", site.path), dict(plan)
    owners = _owners(plan)
    if path in owners:
        return site.side in _WHOLE and not isinstance(site.unit, Expert)
    if not any(path.startswith(f"{owner}.") for owner in owners):
        return True
    return (site.side, styles.get(path)) in (
        *(("input", style) for style in _ENTERING),
        *(("output", style) for style in _LEAVING),
    )


@lru_cache(maxsize=8)
def _owners(plan: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """The modules that are split inside, with `*` for the number of a block."""
    return frozenset(_NUMBER.sub(".*", path).rpartition(".")[0] for path, style in plan if style in _ENTERING)
