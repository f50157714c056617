"""How a slimmed model looks: what went and what that saves, and every domain before and after."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ...analyze.judging.redrawn import Estimate
from ...view.bars import Column, Table, number
from ...view.cards import Card
from ...view.shown import Picture

if TYPE_CHECKING:
    from .slimmed import Change, Slimmed

SHOWN = 24  # domains of a table; the frame holds them all


def pictures(slimmed: Slimmed) -> list[Picture]:
    found: list[Picture] = [_card(slimmed), _table("loss, nats per token", slimmed.losses)]
    return [*found, _table("accuracy, share of items", slimmed.accuracies)] if slimmed.accuracies else found


def _card(slimmed: Slimmed) -> Card:
    one = next(iter(slimmed.losses.values())).change
    ends = f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
    held = "within" if slimmed.within else "not sure to be within"
    facts = {
        "taken out": ", ".join(slimmed.out),
        "price allowed": f"{slimmed.loss:g} nats per token, by the upper end of the interval",
        "chosen by": f"{slimmed.read[0]:,} texts, and how much by {slimmed.read[1]:,} others",
        "on the test": f"{ends} nats per token, {held} the price",
        **dict(_saved(slimmed)),
        **({"not done": "\n".join(slimmed.notes)} if slimmed.notes else {}),
        **slimmed.proofs.facts(),
    }
    return Card(f"{slimmed.name}: {slimmed.model_id} with less in it", facts)


def _saved(slimmed: Slimmed) -> Iterator[tuple[str, str]]:
    after, before = slimmed.evaluation.costs[:2]
    for label, mine, was in (
        ("parameters", after.parameters, before.parameters),
        ("bytes", after.bytes, before.bytes),
    ):
        yield label, f"{mine:,} of {was:,}, × {number(mine / was)}"
    middle, least, most = after.ratio(before)
    ranged = f"× {middle:.2f} ({least:.2f} to {most:.2f}) in {len(after.seconds)} rounds of {after.tokens} tokens"
    yield "time of a pass", ranged if not least <= 1 <= most else f"{ranged}: no change of speed measured"


def _table(title: str, found: Mapping[str, Change]) -> Table:
    shown = dict(list(found.items())[:SHOWN])
    changes = [one.change for one in shown.values()]
    columns = [
        Column("before", [one.before for one in shown.values()]),
        Column("after", [one.after for one in shown.values()]),
        Column("change", [f"{one.value:+.3f}" for one in changes]),
        Column("95 %", [_sure(one) for one in changes]),
        Column("at random", [_random(one) for one in shown.values()]),
    ]
    rest = len(found) - len(shown)
    drawn = len(next(iter(found.values())).random)
    more = f" · {rest:,} more domains in .frame()" if rest > 0 else ""
    said = f"texts and items that nothing was chosen by · at random: the change of {drawn} removals of as much{more}"
    return Table(list(shown), columns, title=title, caption=said)


def _sure(change: Estimate) -> str:
    """A single text or item tells nothing of others."""
    return "–" if math.isnan(change.low) else f"{change.low:+.3f} to {change.high:+.3f}"


def _random(one: Change) -> str:
    return f"{min(one.random):+.3f} to {max(one.random):+.3f}"
