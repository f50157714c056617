"""Looking values up by key: "map: k 3, f 7. f" is answered " 7", and then the other keys are asked in turn."""

from __future__ import annotations

from random import Random
from string import ascii_lowercase, digits

from ..item import Item

NAME = "recall"


def draw(rng: Random) -> Item:
    return _item(rng, rng.randrange(2, 7))


def draw_hard(rng: Random) -> Item:
    """More pairs than training has."""
    return _item(rng, rng.randrange(7, 10), hard=True)


def chance(item: Item) -> float:
    """Each value a guess among the values shown."""
    answers = item.answers
    probability = 1.0
    for answer in answers:
        probability *= answers.count(answer) / len(answers)
    return probability


def _item(rng: Random, size: int, *, hard: bool = False) -> Item:
    """Every key is asked once, in an order of its own: one row teaches as many look-ups as it has pairs.

    The value stands right behind its key both times. With a sign between key and answer, rotary models
    stayed at guessing (0.17 after 12,000 steps): copying taught them offsets, not looking at what stands before.
    """
    pairs = [(key, rng.choice(digits)) for key in rng.sample(ascii_lowercase, size)]
    table = "map: " + ", ".join(f"{key} {value}" for key, value in pairs) + "."
    parts: list[str] = []
    for key, value in rng.sample(pairs, size):
        parts += [f", {key}" if parts else f"{table} {key}", f" {value}"]
    return Item(domain=NAME, identity="".join(parts), parts=(*parts, "."), hard=hard)
