"""Sums and differences of whole numbers below 100: "17 + 25 = 42."."""

from __future__ import annotations

from random import Random

from ..item import Item

NAME = "arithmetic"
LIMIT = 100  # operands stay below it; results may not
LIMIT_OF_THREE = 50


def draw(rng: Random) -> Item:
    return draw_hard(rng) if rng.random() < 0.15 else _pair(rng)


def draw_hard(rng: Random) -> Item:
    """Three terms, smaller operands."""
    terms = [rng.randrange(LIMIT_OF_THREE) for _ in range(3)]
    minus = rng.random() < 0.5 and terms[0] + terms[1] >= terms[2]
    result = terms[0] + terms[1] + (-terms[2] if minus else terms[2])
    text = f"{terms[0]} + {terms[1]} {'-' if minus else '+'} {terms[2]} ="
    return Item(domain=NAME, identity=text, parts=(text, f" {result}", "."), hard=True)


def chance(item: Item) -> float:
    """A guess among the results a sum or difference of two numbers below 100 can have."""
    return 1 / (2 * LIMIT - 1)


def _pair(rng: Random) -> Item:
    small, large = sorted((rng.randrange(LIMIT), rng.randrange(LIMIT)))
    if rng.random() < 0.5:
        return Item(
            domain=NAME, identity=f"{large} - {small}", parts=(f"{large} - {small} =", f" {large - small}", ".")
        )
    first, second = rng.sample((small, large), 2)
    # One identity for both orders: 25 + 17 would give 17 + 25 away.
    return Item(domain=NAME, identity=f"{small} + {large}", parts=(f"{first} + {second} =", f" {small + large}", "."))
