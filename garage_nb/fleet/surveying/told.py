"""Told: what a record says of each reading, as one distribution a part and measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import Any

from ..readings.firing import Firing
from ..readings.losses import Losses
from ..readings.probe import Probe, Tried
from ..readings.reading import Reading
from ..readings.record import Record
from ..readings.statistics import Statistics
from .distribution import Distribution, of_answers, of_commonest, of_losses, of_neurons, of_texts, of_tokens

Row = tuple[str, str, Distribution]  # part, measure, and how it is spread
RATE, LOSS, CHANGE, RIGHT = "firing rate", "loss", "change of loss", "labels told"
AS_IT_IS, COMMONEST = "as it is", "commonest label"
DEFINED = {
    LOSS: "loss of the next token, nats",
    CHANGE: "change of a text's loss by scaling, nats",
    RIGHT: "share of labels told",
}
HEADS = {LOSS: "loss, nats", CHANGE: "change of loss, nats", RIGHT: "share of labels told"}


@singledispatch
def told(reading: Reading, record: Record) -> Iterator[Row]:
    """Of what was met so far; nothing of what was not."""
    raise NotImplementedError(type(reading).__name__)


@told.register
def _(reading: Statistics, record: Record) -> Iterator[Row]:
    for place in reading.layers:
        if f"{place} values" in record:
            tally, counts = _held(record, f"{place} values"), _held(record, f"{place} distributions").counts
            for number, name in enumerate(reading.names):
                yield place, name, of_tokens(tally, number, counts[number])


@told.register
def _(reading: Firing, record: Record) -> Iterator[Row]:
    for place in reading.layers:
        if f"{place} fired" in record:
            rates = _held(record, f"{place} fired").counts / max(1, _held(record, f"{place} heard").counts)
            yield place, RATE, of_neurons(rates)


@told.register
def _(reading: Losses, record: Record) -> Iterator[Row]:
    if "loss" in record:
        yield AS_IT_IS, LOSS, of_losses(_held(record, "loss"))
        for name in reading.variants:
            yield name, LOSS, of_losses(_held(record, f"loss {name}"))
        for name in reading.variants:
            yield name, CHANGE, of_texts(_held(record, f"change {name}"))


@told.register
def _(reading: Probe, record: Record) -> Iterator[Row]:
    """It leaves sums to fit a map from, and says nothing by itself."""
    return iter(())


@told.register
def _(reading: Tried, record: Record) -> Iterator[Row]:
    for place in reading.layers:
        if f"{place} named" in record:
            yield place, RIGHT, of_answers(_held(record, f"{place} named"))
    if f"{reading.layers[0]} named" in record:
        yield COMMONEST, RIGHT, of_commonest(_held(record, f"{reading.layers[0]} named"))


def not_finite(readings: Sequence[Reading], record: Record) -> dict[str, int]:
    """At how many tokens a part, or the loss, was NaN or infinite, where it was. They are in no distribution."""
    places = [place for one in readings if isinstance(one, Statistics) for place in one.layers]
    names = {**{place: f"{place} non-finite" for place in places}, LOSS: "not finite"}
    counts = {part: int(_held(record, name).counts) for part, name in names.items() if name in record}
    return {part: number for part, number in counts.items() if number}


def _held(record: Record, name: str) -> Any:
    return record[name]
