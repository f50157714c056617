"""At home: what parts of a donor give in it for hidden states that come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from ...core.batch import probe
from ...core.run import read
from ...core.sites import Read, Site, Tap, Write, everywhere
from ...registry.part_spec import PartSpec

Entered = Sequence[tuple[PartSpec, Tensor]]


def given_at_home(model: nn.Module, entered: Entered) -> list[Tensor]:
    """For each part and the states that enter it, in the fixed prompt's place: masks, angles and positions are those
    that the donor gives the part in a pass of its own.
    """
    given: dict[int, Tensor] = {}
    for numbers in _passes([part.module_path for part, _ in entered]):
        given |= zip(numbers, _one_pass(model, [entered[number] for number in numbers]), strict=True)
    return [given[number] for number in range(len(entered))]


def way_out(part: PartSpec) -> Site:
    """Where what the part makes of its input leaves it. Bloom's halves add what goes past them only after that."""
    inside = part.read_at.startswith(f"{part.module_path}.")
    return Site(part.read_at if inside else part.module_path)


def keep(seen: dict[Site, Tensor], site: Site, hidden: Tensor) -> None:
    seen[site] = hidden.clone()


def _passes(paths: Sequence[str]) -> list[list[int]]:
    """Numbers of paths for one pass each: what is put before a part must not change what is inside of it."""
    passes: list[list[int]] = []
    for number, path in enumerate(paths):
        fitting = (own for own in passes if not any(_overlap(path, paths[other]) for other in own))
        own = next(fitting, None)
        if own is None:
            passes.append(own := [])
        own.append(number)
    return passes


def _overlap(path: str, other: str) -> bool:
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def _one_pass(model: nn.Module, entered: Entered) -> list[Tensor]:
    """What a part before it gave does not reach the next."""
    seen: dict[Site, Tensor] = {}
    taps: list[Tap] = []
    for part, hidden in entered:
        taps.append(Write(Site(part.module_path, "input"), everywhere(partial(_instead, hidden))))
        taps.append(Read(way_out(part), partial(keep, seen, way_out(part))))
    read(model, probe(model), taps)
    return [seen[way_out(part)] for part, _ in entered]


def _instead(entered: Tensor, hidden: Tensor) -> Tensor:
    return entered
