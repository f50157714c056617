"""Family relations, stated and asked: "Anna is the mother of Ben. Ben is the father of Mia. What is Anna to Mia?"."""

from __future__ import annotations

from random import Random

from ..item import Item

NAME = "kinship"
WOMEN = ("Anna", "Clara", "Emma", "Ida", "Lucy", "Mia", "Nora", "Rose")
MEN = ("Adam", "Ben", "Carl", "Hugo", "Jack", "Leo", "Noah", "Tom")
WORDS = {  # relation -> (said of a woman, said of a man)
    "parent": ("mother", "father"),
    "child": ("daughter", "son"),
    "sibling": ("sister", "brother"),
    "grandparent": ("grandmother", "grandfather"),
    "grandchild": ("granddaughter", "grandson"),
    "pibling": ("aunt", "uncle"),
    "nibling": ("niece", "nephew"),
}
INVERSE = {"parent": "child", "child": "parent", "sibling": "sibling"}
CHAINS = {  # what the first is to the third; a child's parent is left out, being the other parent or the same
    ("parent", "parent"): "grandparent",
    ("child", "child"): "grandchild",
    ("sibling", "sibling"): "sibling",
    ("sibling", "parent"): "pibling",
    ("child", "sibling"): "nibling",
    ("parent", "sibling"): "parent",
    ("sibling", "child"): "child",
}
Link = tuple[str, str, str]  # who, relation, to whom


def draw(rng: Random) -> Item:
    """One statement, or a chain of two, or a chain and one statement that does not matter."""
    return _single(rng) if rng.random() < 0.3 else _chained(rng, others=rng.randrange(2))


def draw_hard(rng: Random) -> Item:
    """Two statements that do not matter, where training has at most one."""
    return _chained(rng, others=2, hard=True)


def chance(item: Item) -> float:
    """Each answer a guess among the seven relations; the name gives the woman's or the man's word."""
    return float((1 / len(WORDS)) ** len(item.answers))


def _single(rng: Random) -> Item:
    who, whom = rng.sample(WOMEN + MEN, 2)
    link = (who, rng.choice(list(INVERSE)), whom)
    return _written([link], rng.sample([link, _turned(link)], 2), hard=False)


def _chained(rng: Random, *, others: int, hard: bool = False) -> Item:
    names = rng.sample(WOMEN + MEN, 3 + 2 * others)
    (first, second), whole = rng.choice(list(CHAINS.items()))
    chain = [(names[0], first, names[1]), (names[1], second, names[2])]
    rest = [(names[place], rng.choice(list(INVERSE)), names[place + 1]) for place in range(3, len(names), 2)]
    given = rng.sample(chain + rest, 2 + others)
    asked = [(names[0], whole, names[2]), *rng.sample([*chain, *map(_turned, chain)], 2)]
    return _written(given, rng.sample(asked, 3), hard=hard)


def _written(given: list[Link], asked: list[Link], *, hard: bool) -> Item:
    story = " ".join(f"{who} is the {_word(who, relation)} of {whom}." for who, relation, whom in given)
    parts: list[str] = []
    for who, relation, whom in asked:
        question = f" What is {who} to {whom}?"
        parts += [f".{question}" if parts else story + question, f" {_word(who, relation)}"]
    return Item(domain=NAME, identity="".join(parts), parts=(*parts, "."), hard=hard)


def _word(who: str, relation: str) -> str:
    return WORDS[relation][who in MEN]


def _turned(link: Link) -> Link:
    who, relation, whom = link
    return whom, INVERSE[relation], who
