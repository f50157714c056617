"""Cost: what a model takes up and how long a pass takes, timed in turns with those it is held against."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from torch import Tensor, nn

from ...core.batch import Batch
from ...core.calling import answer, asked
from ...core.prefix import Prefix
from ...core.run import attached_for, own_run, under_way
from ...core.sites import Tap
from ...core.walk import modules_of, tensors_of, weights_of
from .lineup import Lineup

SECONDS, FEWEST, MOST = 1.0, 5, 25  # of timing, and how many rounds at least and at most
Span = tuple[str, int, int]  # a device, and the bytes from here to there


@dataclass(frozen=True, eq=False, kw_only=True)
class Cost:
    """Parameters, and bytes of weights and buffers, each piece of memory once; `shared` lie in the judged model too.
    `passes` are forward passes for a token.

    `seconds` are of one pass over `tokens` tokens, one number a round; rounds are the same moments for all models.
    """

    parameters: int
    bytes: int
    shared: int
    passes: int
    tokens: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def ratio(self, other: Cost) -> tuple[float, float, float]:
        """Its time by another's, round by round: the median, the least and the largest."""
        found = [mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)]
        return median(found), min(found), max(found)


def costs(lineup: Lineup, batches: Sequence[Batch]) -> list[Cost]:
    """Of each of its names; the batches, one a model, are what is timed. An ensemble takes what its members take."""
    seconds = _timed(lineup, batches)
    places = {id(one): place for place, one in enumerate(lineup.lifted.values())}
    judged = _spans([lineup.members[0][0].model])
    found = []
    for several, reader in zip(lineup.members, lineup.readers, strict=True):
        models = [one.model for one in several]
        mine = _spans(models)
        rounds = zip(*(seconds[places[id(one)]] for one in several), strict=True)
        found.append(
            Cost(
                parameters=sum(weight.numel() for weight in weights_of(_modules(models))),
                bytes=covered(mine),
                shared=covered(mine) + covered(judged) - covered([*mine, *judged]),
                passes=len(several),
                tokens=batches[reader].input_ids.shape[1],
                seconds=tuple(map(sum, rounds)),
            )
        )
    return found


def covered(spans: Iterable[Span]) -> int:
    """Bytes that lie in one of the spans or more."""
    total = 0
    for _, several in groupby(sorted(set(spans)), key=lambda span: span[0]):
        end = 0
        for _, start, stop in several:
            total += max(0, stop - max(start, end))
            end = max(end, stop)
    return total


def _timed(lineup: Lineup, batches: Sequence[Batch]) -> list[list[float]]:
    """Seconds by model and round, after one that is not counted. Another model begins each round."""
    found: list[list[float]] = [[] for _ in batches]
    places = list(range(len(batches)))
    for place in places:
        _seconds(lineup, place, batches[place])
    began, rounds = time.perf_counter(), 0
    while rounds < FEWEST or (rounds < MOST and time.perf_counter() - began < SECONDS):
        turn = rounds % len(places)
        for place in places[turn:] + places[:turn]:
            found[place].append(_seconds(lineup, place, batches[place]))
        rounds += 1
    return found


def _seconds(lineup: Lineup, place: int, batch: Batch) -> float:
    """From the call to a number on the host, for which a device is waited."""
    model: nn.Module = list(lineup.lifted.values())[place].model
    taps: list[Tap] = list(lineup.taps(place))
    with own_run(model), attached_for(model, batch, Prefix(), taps):
        call = asked(model, batch, use_cache=False)
        start = time.perf_counter()
        answer(under_way(model, call))[0, -1, -1].item()
        return time.perf_counter() - start


def _modules(models: Sequence[nn.Module]) -> list[nn.Module]:
    return [module for model in models for module in modules_of(model)]


def _spans(models: Sequence[nn.Module]) -> list[Span]:
    return [_span(tensor) for tensor in tensors_of(_modules(models)) if tensor.numel()]


def _span(tensor: Tensor) -> Span:
    """Of what is not in memory but will be brought there, as if it lay in a place of its own."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    length = (last + 1) * tensor.element_size()
    if tensor.is_meta:
        return f"meta {id(tensor)}", 0, length
    start = tensor.data_ptr()
    return str(tensor.device), start, start + length
