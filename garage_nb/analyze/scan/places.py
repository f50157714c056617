"""Which places a report reads: all that a model has of the stream, of what is added to it, and of its neurons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ...core.parts import ENCODER, Part, parse
from ...errors import UnknownPartError, shortened
from ...registry.selecting import Selector
from ...registry.specs import ModelSpec

ADDING = ("attention", "cross_attention", "mixer")
_WITHIN = {"before": 0, "mid": 1, None: 2}


def places(spec: ModelSpec, layers: Selector | None) -> list[str]:
    """The places named; when None every layer, bottom to top, with what is read of it where that is not n/a."""
    if layers is not None:
        return spec.usable(layers)
    found = [place for name in spec.parts for place in _of(spec, name) if not spec.why_not(place)]
    if not found:
        raise UnknownPartError(f"{spec.model_id} has no layer that can be read.", "`report` says what was proved.")
    return sorted(found, key=_when)  # which leaves what is alike in the catalogue's order


def missing(spec: ModelSpec) -> str:
    """What of the layers is n/a, and why the first of it is; empty where all can be read."""
    found = [name for name in spec.parts if list(_of(spec, name)) and spec.why_not(name)]
    return f"n/a: {shortened(found)} ({found[0]}: {spec.why_not(found[0])})" if found else ""


def steps(names: Sequence[str]) -> dict[str, str]:
    """Place of the residual stream -> the one before it among those read, of the same stack."""
    stream: dict[str | None, list[tuple[tuple[int, int], str]]] = {}
    for name in names:
        address = parse(name)
        if address is not None and address.kind == "layer" and address.role is None:
            order = (address.layer or 0, _WITHIN[address.unit])
            stream.setdefault(address.stack, []).append((order, name))
    ordered = [[name for _, name in sorted(each)] for each in stream.values()]
    return {after: before for each in ordered for before, after in itertools.pairwise(each)}


def kind_of(name: str) -> str:
    """layer, attention, ffn …; of what enters the last projection neurons or heads; `module` for a raw path."""
    address = parse(name)
    if address is None:
        return "module"
    return address.kind if address.unit is None or address.kind == "layer" else address.unit


def _when(place: str) -> tuple[bool, int, bool]:
    """The encoder first; what enters a layer before all that is in it."""
    address = parse(place)
    assert address is not None
    return address.stack != ENCODER, address.layer or 0, address.unit != "before"


def _of(spec: ModelSpec, name: str) -> Iterator[str]:
    address = parse(name)
    if address is None or address.layer is None:
        return
    if address.kind == "layer":
        yield from [name] if address.layer else [f"{name}.before", name]
    elif address.kind in ADDING:
        yield name
    elif address.kind == "ffn":
        yield from _feeding(spec, address)


def _feeding(spec: ModelSpec, address: Part) -> Iterator[str]:
    if spec.parts[str(address)].count_of("neurons"):
        yield f"{address}.neurons"
    yield str(address)
