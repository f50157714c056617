"""Naive: what a sheet makes of checkpoints, without a model. One rule a graft, names told apart by a pattern."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from garage_nb.compose.blends.blend import Spot, in_block
from garage_nb.compose.blends.drawing import one_build
from garage_nb.compose.graft import Merge, Stack, Swap
from garage_nb.compose.ref import Ref
from garage_nb.compose.sheet import BuildSheet

Tensors = dict[str, Tensor]
Job = tuple[Spot, Merge, list[tuple[str, str]]]  # with donor and name there of all that is blended
_LAYER = re.compile(r"\.(\d+)\.")
_TOP = re.compile(r"norm\.|ln_f\.|lm_head\.")


def evaluated(sheet: BuildSheet, donors: dict[str, Tensors]) -> Tensors:
    """By the names of a checkpoint. Blends come last, in the order of names, and share one generator."""
    cast = {name: {key: _cast(tensor, sheet.dtype) for key, tensor in own.items()} for name, own in donors.items()}
    found = {name: (sheet.base, name) for name in cast[sheet.base]}  # of the result -> donor, name there
    jobs: list[Job] = []
    for graft in sheet.grafts:
        if isinstance(graft, Stack):
            found = _stacked(graft, found, cast)
        elif isinstance(graft, Swap):
            found |= {name: (graft.source.donor, name) for name in found if _is_at(name, graft.at)}
        else:
            jobs += [_job(name, graft, found) for name in found if _is_at(name, graft.at)]
    result = {name: cast[donor][key] for name, (donor, key) in found.items()}
    with one_build():
        for spot, merge, inputs in sorted(jobs, key=lambda job: job[0].turn):
            own, *others = (cast[donor][key] for donor, key in inputs)
            result[spot.tensor] = merge.blend.blended(own, others, spot)
    return {name: _cast(tensor, sheet.out_dtype) for name, tensor in result.items()}


def _stacked(stack: Stack, found: dict[str, tuple[str, str]], donors: dict[str, Tensors]) -> dict[str, tuple[str, str]]:
    layers = [(ref.donor, layer) for ref in stack.layers for layer in _layers(ref, donors)]
    made = {name: source for name, source in found.items() if not _LAYER.search(name)}
    for place, (donor, layer) in enumerate(layers):
        for name in donors[donor]:
            if f".{layer}." in name and _layer_of(name) == layer:
                made[_moved(name, place)] = (donor, name)
    return made


def _layers(ref: Ref, donors: dict[str, Tensors]) -> range:
    count = 1 + max(layer for name in donors[ref.donor] if (layer := _layer_of(name)) is not None)
    return range(count) if ref.parts == "all" else range(*map(int, ref.parts.split(":")))


def _job(name: str, merge: Merge, found: dict[str, tuple[str, str]]) -> Job:
    layer = _layer_of(name)
    first, stop = _bounds(merge.at, found)
    inputs = [found[name], *((ref.donor, _there(name, ref, first)) for ref in merge.sources)]
    depth = 0.0 if layer is None else in_block(layer - first, stop - first)
    return Spot(name, depth, tuple(key for _, key in inputs)), merge, inputs


def _there(name: str, ref: Ref, first: int) -> str:
    layer = _layer_of(name)
    if layer is None or not ref.parts:
        return name
    return _moved(name, int(ref.parts.split(":")[0]) + layer - first)


def _bounds(at: str, found: dict[str, tuple[str, str]]) -> tuple[int, int]:
    count = 1 + max(layer for name in found if (layer := _layer_of(name)) is not None)
    return (int(at.split(":")[0]), int(at.split(":")[1])) if ":" in at else (0, count)


def _is_at(name: str, at: str) -> bool:
    layer = _layer_of(name)
    if at == "all":
        return True
    if ":" in at:
        return layer is not None and layer in range(*map(int, at.split(":")))
    return layer is None and bool(_TOP.search(name)) == (at == "top")


def _layer_of(name: str) -> int | None:
    match = _LAYER.search(name)
    return None if match is None else int(match[1])


def _moved(name: str, place: int) -> str:
    return _LAYER.sub(f".{place}.", name, count=1)


def _cast(tensor: Tensor, dtype: str) -> Tensor:
    return tensor.to(getattr(torch, dtype)) if dtype else tensor
