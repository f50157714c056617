"""Finding the target of a place: which module's weights decide what passes there."""

from __future__ import annotations

from torch import nn

from ...core.sites import Site
from ...core.units import Columns
from ...inject.place import Place
from ...registry.elementary import norm_of
from ..layout.layout import Layout
from .target import Entering, Gain, Leaving, Table, Target


def target_of(layout: Layout, place: Place) -> Target | str:
    """Or why there is none, in words that follow on "it"."""
    site = place.site
    if site.turn is not None or site.side not in ("input", "output"):
        return f"acts on {site.side} of a module that is called several times" if site.turn is not None else _AMID
    path = _last(layout, place) if site.side == "output" else site.path
    module = _module(layout, path)
    if layout.is_apart(path):
        return "acts on a guest that is a module of its own"
    if module is None:
        return "acts where no weight alone decides what passes"
    if site.side == "input":
        return _entering(path, module, site)
    return _leaving(path, module)


_AMID = "acts amid the attention or on the residual stream, which no weight makes by itself"


def _last(layout: Layout, place: Place) -> str:
    """Of a half that leaves its own module: its last projection, which makes what leaves. Proved after building."""
    part = layout.spec.part(place.name)
    inside = str(part.extra_info.get("projection", ""))
    return (
        inside if place.site.path == part.module_path and inside.startswith(f"{part.module_path}.") else place.site.path
    )


def _module(layout: Layout, path: str) -> nn.Module | None:
    """The donor's module that stands there."""
    found = layout.tensors.get(f"{path}.weight")
    if found is None or found.origin.donor.lifted is None:
        return None
    module: nn.Module = found.origin.donor.model.get_submodule(found.origin.name.removesuffix(".weight"))
    return module


def _leaving(path: str, module: nn.Module) -> Target | str:
    dim = _counts_leaving(module)
    if dim is not None:
        return Leaving(path, dim)
    if isinstance(module, nn.Embedding):
        return Table(path, float(getattr(module, "embed_scale", 1.0)))
    norm = norm_of(module)
    if norm is not None:
        return Gain(path, 1.0 if norm.name.endswith("1 + w") else 0.0)
    return f"acts behind a {type(module).__name__}, which is no linear map, norm or embedding"


def _entering(path: str, module: nn.Module, site: Site) -> Target | str:
    leaving = _counts_leaving(module)
    if leaving is None or not isinstance(site.unit, Columns | None):
        return f"acts before a {type(module).__name__}, or on an expert, where no columns are its own"
    return Entering(path, 1 - leaving, site.unit)


def _counts_leaving(module: nn.Module) -> int | None:
    """Which dimension of the weight counts what leaves. transformers' Conv1D keeps its weight the other way round."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, Conv1D):
        return 1
    return 0 if isinstance(module, nn.Linear) else None
