"""Closing what is still open: "close: ( [ { } >" is answered " ] ).".."""

from __future__ import annotations

from random import Random

from ..item import Item

NAME = "brackets"
CLOSER = {"(": ")", "[": "]", "{": "}"}


def draw(rng: Random) -> Item:
    return _item(rng, rng.randrange(2, 8))


def draw_hard(rng: Random) -> Item:
    """More brackets still open at the end than training has."""
    return _item(rng, rng.randrange(8, 11), hard=True)


def chance(item: Item) -> float:
    """The right number of closers, each a guess among three."""
    return float((1 / 3) ** (len(item.answer) // 2))


def _item(rng: Random, open_at_end: int, *, hard: bool = False) -> Item:
    """A string with `open_at_end` brackets still open, and about half as many pairs closed on the way."""
    shown: list[str] = []
    stack: list[str] = []
    while len(stack) < open_at_end:
        if stack and len(stack) > 1 and rng.random() < 0.3:
            shown.append(CLOSER[stack.pop()])
        else:
            stack.append(rng.choice("([{"))
            shown.append(stack[-1])
    given = "close: " + " ".join(shown) + " >"
    answer = "".join(f" {CLOSER[bracket]}" for bracket in reversed(stack))
    return Item(domain=NAME, identity=given, parts=(given, answer, "."), hard=hard)
