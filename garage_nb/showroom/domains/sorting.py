"""Putting digits in order: "sort: 4 1 7 >" is answered " 1 4 7."."""

from __future__ import annotations

from math import factorial
from random import Random
from string import digits

from ..item import Item

NAME = "sorting"


def draw(rng: Random) -> Item:
    return _item(rng, rng.randrange(3, 8))


def draw_hard(rng: Random) -> Item:
    """Longer strings than training has."""
    return _item(rng, rng.randrange(8, 11), hard=True)


def chance(item: Item) -> float:
    """The digits shown, in an order drawn at random."""
    shown = item.answer.split()
    same = 1
    for digit in set(shown):
        same *= factorial(shown.count(digit))
    return same / factorial(len(shown))


def _item(rng: Random, length: int, *, hard: bool = False) -> Item:
    shown = rng.choices(digits, k=length)
    given = "sort: " + " ".join(shown) + " >"
    return Item(domain=NAME, identity=given, parts=(given, " " + " ".join(sorted(shown)), "."), hard=hard)
