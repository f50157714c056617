"""Small stories in which number and gender must agree across a distance, and a thing is remembered."""

from __future__ import annotations

from random import Random

from ..item import Item

NAME = "stories"
PRONOUN = {
    "king": "he", "boy": "he", "monk": "he", "uncle": "he",
    "queen": "she", "girl": "she", "nun": "she", "aunt": "she",
    "cat": "it", "dog": "it", "bird": "it", "robot": "it",
}  # fmt: skip
PLACES = ("near", "behind", "beside", "with")
MOODS = ("sad", "angry", "tired", "worried", "upset", "silent")
THINGS = ("ball", "book", "bell", "hat", "key", "lamp", "map", "ring", "rope", "shoe")
DEEDS = ("lost", "broken", "sold", "hidden", "dropped")


def draw(rng: Random) -> Item:
    return _item(rng, phrases=rng.randrange(2))


def draw_hard(rng: Random) -> Item:
    """Two phrases between subject and verb, where training has at most one."""
    return _item(rng, phrases=2, hard=True)


def chance(item: Item) -> float:
    """The number guessed at the verb, the gender at the pronoun, the thing among ten; the rest follows."""
    gender = 1.0 if item.answers[0] == " are" else 1 / 3
    return 0.5 * gender / len(THINGS)


def _item(rng: Random, *, phrases: int, hard: bool = False) -> Item:
    hero, many = rng.choice(list(PRONOUN)), rng.random() < 0.5
    subject = "The " + _noun(hero, many)
    for _ in range(phrases):
        subject += f" {rng.choice(PLACES)} the {_noun(rng.choice(list(PRONOUN)), rng.random() < 0.5)}"
    mood, deed, thing = rng.choice(MOODS), rng.choice(DEEDS), rng.choice(THINGS)
    pronoun = "they" if many else PRONOUN[hero]
    parts = (
        subject, " are" if many else " is",
        f" {mood} because", f" {pronoun}", "", " have" if many else " has",
        f" {deed} the {thing}.", f" {pronoun.capitalize()}", "", " want" if many else " wants",
        " a new", f" {thing}", ".",
    )  # fmt: skip
    return Item(domain=NAME, identity=f"{subject} {mood} {deed} {thing}", parts=parts, hard=hard)


def _noun(noun: str, many: bool) -> str:
    return noun + "s" if many else noun
