"""Wrapping: guests that no config describes become modules in their places, and the model a wrapper around them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ...core.batch import probe
from ...core.run import watched
from ...core.sites import Site, Watch
from ...extract.pytorch import PyTorchExtractor
from ..layout.layout import Layout
from ..stitching.stitch import Stitch
from ..stitching.stitched import Manner, Stitched


def wrapped(model: Any, layout: Layout, stitches: Sequence[Stitch]) -> Any:
    """The same model with the guests in it. It reads the whole text at every step of a generation."""
    manners = {stitch.place: _manner(stitch) for stitch in stitches}
    for stitch in stitches:
        part = PyTorchExtractor(stitch.guest.donor.model).extract_component(stitch.guest.name)
        like = next(iter(model.parameters()))
        module = Stitched(part, stitch.maps, manners[stitch.place], like)
        model.set_submodule(layout.spec.part(stitch.place).module_path, module.eval())
    if manners:
        uncached(model)
    return model


def uncached(model: Any) -> None:
    for config in (model.config, model.config.get_text_config(), getattr(model, "generation_config", None)):
        if config is not None:
            config.use_cache = False


def _manner(stitch: Stitch) -> Manner:
    """As the host's own part answers in its model."""
    seen: list[Any] = []
    part, model = stitch.host.part, stitch.host.donor.model
    watch = Watch(Site(part.module_path), lambda module, output: seen.append(output))
    watched(model, probe(model), [watch], nullcontext())
    return Manner(len(seen[0]) if isinstance(seen[0], tuple) else 0, part.part_type.value == "full_layer")
