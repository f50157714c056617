"""At home: what parts of a donor give in it for hidden states that come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn

from ...core.batch import probe
from ...core.run import read, watched
from ...core.sites import Read, Site, Tap, Watch, Write, everywhere, leaving, with_entering
from ...core.undisturbed import lock_of, undisturbed
from ...registry.part_spec import PartSpec

Entered = Sequence[tuple[PartSpec, Tensor]]
Call = tuple[tuple[Any, ...], dict[str, Any]]


def given_at_home(model: nn.Module, entered: Entered) -> list[Tensor]:
    """For each part and the states that enter it, in the fixed prompt's place: masks, angles and positions are those
    that the donor gives the part in a pass of its own.
    """
    calls = _calls(model, [part for part, _ in entered])
    return [_given(model, part, hidden, calls) for part, hidden in entered]


def way_out(part: PartSpec) -> Site:
    """Where what the part makes of its input leaves it. Bloom's halves add what goes past them only after that."""
    inside = part.read_at.startswith(f"{part.module_path}.")
    return Site(part.read_at if inside else part.module_path)


def keep(seen: dict[Site, Tensor], site: Site, hidden: Tensor) -> None:
    seen[site] = hidden.clone()


def _calls(model: nn.Module, parts: list[PartSpec]) -> dict[str, Call]:
    """What each is called with in one pass, by its path."""
    seen: dict[str, Call] = {}
    paths = {part.module_path for part in parts if way_out(part).path == part.module_path}

    def watch(path: str, module: nn.Module, call: Call) -> None:
        seen[path] = call

    if paths:
        taps = [Watch(Site(path, "input"), partial(watch, path)) for path in paths]
        watched(model, probe(model), taps, nullcontext())
    return seen


def _given(model: nn.Module, part: PartSpec, entered: Tensor, calls: dict[str, Call]) -> Tensor:
    if part.module_path not in calls:
        return _in_a_run(model, part, entered)
    args, kwargs = with_entering(*calls[part.module_path], entered)
    with lock_of(model), undisturbed(model):
        return leaving(model.get_submodule(part.module_path)(*args, **kwargs))


def _in_a_run(model: nn.Module, part: PartSpec, entered: Tensor) -> Tensor:
    """Of a part that adds to what it is given: what it adds is inside, and only a pass gets there."""
    seen: dict[Site, Tensor] = {}
    out = way_out(part)
    put = Write(Site(part.module_path, "input"), everywhere(lambda hidden: entered))
    taps: list[Tap] = [put, Read(out, partial(keep, seen, out))]
    read(model, probe(model), taps)
    return seen[out]
