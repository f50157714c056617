"""What must hold inside a block: at its attention's queries, keys and values, and between its halves."""

from __future__ import annotations

import torch

from garage_nb.core.run import logits, read
from garage_nb.core.sites import Read
from garage_nb.inject.edits import Scale
from garage_nb.registry.specs import PartType

from .opened import TOLERANCE, Opened

_INSIDE = ("q", "k", "v", "pattern")


def inside_attention(one: Opened) -> str:
    """Reading leaves the logits bit-equal; queries, keys and values can be changed; a row of the pattern sums to 1."""
    found = {name: part for name, part in one.spec.parts.items() if part.part_type is PartType.ATTENTION}
    able = [name for name, part in found.items() if isinstance(part.point("q"), dict)]
    if not able:
        reasons = [str(part.point("q")) for part in found.values()]
        return f"n/a: {reasons[0] if reasons else 'no attention'}"
    seen = [Read(one.spec.site(f"{name}.{point}"), lambda hidden: None) for name in able for point in _INSIDE]
    assert torch.equal(logits(one.model, one.batch, seen), one.bare), "readers change the logits"
    for name in able:
        _check_inside(one, name)
    return "ok" if len(able) == len(found) else f"ok in {len(able)} of {len(found)}"


def _check_inside(one: Opened, name: str) -> None:
    site = one.spec.site(f"{name}.pattern")
    (pattern,) = one.hidden(site)
    rows = pattern.sum(-1)
    assert bool((rows <= 1 + TOLERANCE).all()), f"rows of {name}.pattern sum to {float(rows.max()):.4f}"
    if not _has_sinks(one.model.get_submodule(site.path)):
        assert bool((rows >= 1 - TOLERANCE).all()), f"rows of {name}.pattern sum to {float(rows.min()):.4f}"
    for place in (f"{name}.{point}" for point in ("q", "k", "v")):
        assert torch.equal(one.under(Scale(place, 1.0)), one.bare), f"an identity edit at {place} changes the logits"
        assert not torch.equal(one.under(Scale(place, 0.0)), one.bare), f"an edit at {place} does nothing"


def _has_sinks(module: torch.nn.Module) -> bool:
    """What a query gives to nobody."""
    return any("sink" in name for name, _ in module.named_parameters())


def stream_points(one: Opened) -> str:
    """before + what comes first = mid; mid + the rest = after; a change between the halves reaches the logits."""
    points = {name: one.spec.parts[name].point("mid") for name in one.layers()}
    able = [name for name, point in points.items() if isinstance(point, dict)]
    for name in able:
        if not any(one.spec.parts[half].unavailable for half in one.added(name)):
            _check_sums(one, name)
        place = f"{name}.mid"
        assert torch.equal(one.under(Scale(place, 1.0)), one.bare), f"an identity edit at {place} changes the logits"
        assert not torch.equal(one.under(Scale(place, -0.7)), one.bare), f"an edit at {place} does nothing"
    if not able:
        return f"n/a: {next(iter(points.values()), 'no layer')}"
    return "ok" if len(able) == len(points) else f"ok in {len(able)} of {len(points)}"


def _check_sums(one: Opened, name: str) -> None:
    *first, last = _in_order(one, name)
    sites = [one.spec.site(place) for place in (f"{name}.before", *first, f"{name}.mid", last, name)]
    before, *added, mid, rest, after = (hidden.reshape(-1) for hidden in one.hidden(*sites))
    for total, known in ((before + sum(added), mid), (mid + rest, after)):
        error = float((total - known).abs().max() / known.abs().max())
        assert error < TOLERANCE, f"the stream inside {name} is off by {error:.1e}"


def _in_order(one: Opened, layer: str) -> list[str]:
    """The halves of a block in the order in which they are added."""
    order: list[str] = []
    reads = [
        Read(one.spec.site(name), lambda hidden, name=name: order.append(name))  # type: ignore[misc]
        for name in one.added(layer)
    ]
    read(one.model, one.batch, reads)
    return order
