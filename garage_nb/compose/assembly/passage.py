"""Passage: one pass of the fixed prompt through a model, with what entered and left some of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from ...core.batch import probe
from ...core.run import logits
from ...core.sites import Read, Site
from ...registry.specs import ModelSpec
from .at_home import keep, way_out


@dataclass(frozen=True, eq=False)
class Passage:
    """`logits` (1, seq, vocab); by place the states (1, seq, d) that entered it and that left it."""

    logits: Tensor
    states: Mapping[str, tuple[Tensor, Tensor]]


def passed(model: nn.Module, spec: ModelSpec, places: Iterable[str]) -> Passage:
    ends = {place: (Site(spec.part(place).module_path, "input"), way_out(spec.part(place))) for place in places}
    seen: dict[Site, Tensor] = {}
    reads = [Read(site, partial(keep, seen, site)) for site in {site for both in ends.values() for site in both}]
    whole = logits(model, probe(model), reads)
    return Passage(whole, {place: (seen[entrance], seen[leaving]) for place, (entrance, leaving) in ends.items()})
