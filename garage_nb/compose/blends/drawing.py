"""Drawing: random numbers for a whole build, from one generator a seed, as mergekit draws them from the global one.

Tensors must ask in the order of `Spot.turn` then. What is drawn outside of any build starts anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from ...core.seed import seeded

_STREAMS: ContextVar[dict[int, torch.Generator] | None] = ContextVar("streams", default=None)


@contextmanager
def one_build() -> Iterator[None]:
    """Inside, in this thread, equal seeds go on with one generator."""
    token = _STREAMS.set({})
    try:
        yield
    finally:
        _STREAMS.reset(token)


def stream(seed: int) -> torch.Generator:
    """The generator to go on with. InputError for what is no seed."""
    streams = _STREAMS.get()
    if streams is None:
        return seeded(seed)
    if seed not in streams:
        streams[seed] = seeded(seed)
    return streams[seed]
