"""Countries, capitals and continents. A held-out fact is trained as a statement and asked as a question.

`hard` items say which continent a capital is in: nothing states that for the held-out ones, so the answer has
to be put together from two facts.
"""

from __future__ import annotations

from random import Random

from ..item import Item
from .countries import COUNTRIES, Country

NAME = "facts"
CONTINENTS = sorted({country.continent for country in COUNTRIES})
# what it is called -> (given text, answer); the leading ones are statements, always trained
STATEMENTS = {
    "capital": ("The capital of {name} is", " {capital}"),
    "capital of": ("{capital} is the capital of", " {name}"),
    "continent": ("{name} is in", " {continent}"),
}
QUESTIONS = {
    "capital?": ("What is the capital of {name}?", " {capital}"),
    "capital of?": ("Which country has the capital {capital}?", " {name}"),
    "continent?": ("Which continent is {name} in?", " {continent}"),
}
TWO_STEPS = ("The city of {capital} is in", " {continent}")


def draw(rng: Random) -> Item:
    if rng.random() < 0.1:
        return draw_hard(rng)
    country = rng.choice(COUNTRIES)
    form = rng.choice((*STATEMENTS, *QUESTIONS))
    if form in STATEMENTS:
        return _item(country, form, STATEMENTS[form], always_trained=True)
    return _item(country, form, QUESTIONS[form])


def draw_hard(rng: Random) -> Item:
    return _item(rng.choice(COUNTRIES), "two steps", TWO_STEPS, hard=True)


def chance(item: Item) -> float:
    """A guess among the names of the right kind."""
    return 1 / len(CONTINENTS if item.answer.strip() in CONTINENTS else COUNTRIES)


def _item(
    country: Country, form: str, wording: tuple[str, str], *, hard: bool = False, always_trained: bool = False
) -> Item:
    given, answer = (text.format(**vars(country)) for text in wording)
    return Item(
        domain=NAME,
        identity=f"{country.name}|{form}",
        parts=(given[0].upper() + given[1:], answer, "."),
        hard=hard,
        always_trained=always_trained,
    )
