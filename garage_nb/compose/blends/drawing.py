"""Drawing: random numbers for a whole build, from one generator a seed, as mergekit draws them from the global one.

Tensors must ask in the order of `Spot.turn` then. What is drawn outside of any build starts anew each time. A tensor
that two others are made of is made once: a second time, other numbers would be drawn for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from ...core.seed import seeded

_STREAMS: ContextVar[dict[int, torch.Generator] | None] = ContextVar("streams", default=None)
_MADE: ContextVar[dict[int, Tensor] | None] = ContextVar("made", default=None)


@contextmanager
def one_build() -> Iterator[None]:
    """Inside, in this thread, equal seeds go on with one generator, and what is asked for `once` is kept."""
    streams, made = _STREAMS.set({}), _MADE.set({})
    try:
        yield
    finally:
        _STREAMS.reset(streams)
        _MADE.reset(made)


def stream(seed: int) -> torch.Generator:
    """The generator to go on with. InputError for what is no seed."""
    streams = _STREAMS.get()
    if streams is None:
        return seeded(seed)
    if seed not in streams:
        streams[seed] = seeded(seed)
    return streams[seed]


def once(source: object, make: Callable[[], Tensor]) -> Tensor:
    """What it makes, the same for one source throughout a build. The source must outlive that."""
    made = _MADE.get()
    if made is None:
        return make()
    if id(source) not in made:
        made[id(source)] = make()
    return made[id(source)]
