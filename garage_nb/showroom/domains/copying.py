"""Saying a string of letters again: "copy: k f a >" is answered " k f a."."""

from __future__ import annotations

from random import Random
from string import ascii_lowercase

from ..item import Item

NAME = "copy"


def draw(rng: Random) -> Item:
    return _item(rng, rng.randrange(3, 11))


def draw_hard(rng: Random) -> Item:
    """Longer strings than training has."""
    return _item(rng, rng.randrange(11, 15), hard=True)


def chance(item: Item) -> float:
    """Each letter a guess among the letters shown."""
    letters = item.answer.split()
    return float((1 / len(set(letters))) ** len(letters))


def _item(rng: Random, length: int, *, hard: bool = False) -> Item:
    """Half of the strings repeat no letter, so that looking one letter back is enough for them."""
    letters = rng.sample(ascii_lowercase, length) if rng.random() < 0.5 else rng.choices(ascii_lowercase, k=length)
    given = "copy: " + " ".join(letters) + " >"
    return Item(domain=NAME, identity=given, parts=(given, " " + " ".join(letters), "."), hard=hard)
