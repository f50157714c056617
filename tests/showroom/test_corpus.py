"""The language is right, is the same everywhere, and keeps what it holds out."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest

from garage_nb.errors import InputError
from garage_nb.showroom import DOMAINS, Item, floor, items
from garage_nb.showroom.corpus import LEVELS, corpus_hash
from garage_nb.showroom.domains.brackets import CLOSER
from garage_nb.showroom.domains.countries import COUNTRIES
from garage_nb.showroom.domains.kinship import MEN
from garage_nb.showroom.domains.stories import PRONOUN

every_domain = pytest.mark.parametrize("domain", DOMAINS)
every_level = pytest.mark.parametrize("level", LEVELS)


@every_domain
def test_same_seed_same_items(domain: str) -> None:
    assert items(domain, n=50, seed=3) == items(domain, n=50, seed=3)
    assert items(domain, n=50, seed=3) != items(domain, n=50, seed=4)


@every_domain
def test_held_out_items_never_occur_in_training(domain: str) -> None:
    trained = {item.text for item in items(domain, "train", 5000)}
    held_out = {item.text for level in LEVELS for item in items(domain, "test", 500, level=level)}

    assert len(held_out) > 20
    assert not trained & held_out


@every_domain
def test_text_prompt_and_spans_agree(domain: str) -> None:
    for item in items(domain, n=100):
        assert tuple(item.text[start:end] for start, end in item.spans) == item.answers
        assert item.text.startswith(item.prompt + item.answer)
        assert item.text.endswith(".")
        assert all(answer.startswith(" ") for answer in item.answers)


@every_level
def test_arithmetic_is_right(level: str) -> None:
    for item in items("arithmetic", n=300, level=level):
        first, *rest = re.findall(r"[+-]? ?\d+", item.prompt)
        total = int(first) + sum(int(term.replace(" ", "")) for term in rest)

        assert int(item.answer) == total >= 0


@every_level
def test_brackets_close_what_is_open(level: str) -> None:
    for item in items("brackets", n=100, level=level):
        text = item.text.removeprefix("close: ").removesuffix(".").replace(">", "").replace(" ", "")
        while (shorter := re.sub(r"\(\)|\[\]|\{\}", "", text)) != text:
            text = shorter

        assert text == ""
        assert set(item.answer.split()) <= set(CLOSER.values())


@every_level
def test_strings_are_copied_and_sorted(level: str) -> None:
    for item in items("copy", n=100, level=level):
        assert item.answer.split() == item.prompt.removeprefix("copy: ").removesuffix(" >").split()
    for item in items("sorting", n=100, level=level):
        shown, answer = item.prompt.removeprefix("sort: ").removesuffix(" >").split(), item.answer.split()
        assert sorted(shown) == sorted(answer)
        assert all(one <= next_one for one, next_one in pairwise(answer))


@every_level
def test_recall_asks_every_key_once(level: str) -> None:
    for item in items("recall", n=100, level=level):
        table, asked = item.text.removeprefix("map: ").removesuffix(".").split(". ")

        assert dict(pair.split() for pair in table.split(", ")) == dict(pair.split() for pair in asked.split(", "))


@every_level
def test_kinship_agrees_with_the_family_drawn_from_its_statements(level: str) -> None:
    for item in items("kinship", n=200, level=level):
        generation = _generations(item)
        for who, whom, answer in re.findall(r"What is (\w+) to (\w+)\? (\w+)", item.text):
            ahead, same_line = generation[who] - generation[whom], {
                2: ("grandmother", "grandfather"), 1: ("mother", "father", "aunt", "uncle"), 0: ("sister", "brother"),
                -1: ("daughter", "son", "niece", "nephew"), -2: ("granddaughter", "grandson"),
            }  # fmt: skip
            assert answer in same_line[ahead]
            assert (same_line[ahead].index(answer) % 2 == 1) == (who in MEN)


def test_facts_are_facts() -> None:
    known = {country.name: (country.capital, country.continent) for country in COUNTRIES}

    assert known["France"] == ("Paris", "Europe")
    assert known["Japan"] == ("Tokyo", "Asia")
    assert known["the United States"] == ("Washington", "North America")
    assert known["New Zealand"] == ("Wellington", "Oceania")
    assert 120 <= len(COUNTRIES) == len(known) == len({country.capital for country in COUNTRIES})


def test_what_is_asked_of_a_held_out_fact_is_trained_as_a_statement() -> None:
    trained = {item.text for item in items("facts", "train", 30000)}

    for country in COUNTRIES:
        assert f"The capital of {country.name} is {country.capital}." in trained
    assert all(item.text.split("?")[0] + "?" == item.prompt for item in items("facts", n=50))


def test_stories_agree_in_number_and_gender() -> None:
    for item in items("stories", n=200):
        noun = item.prompt.split()[1]
        many = noun not in PRONOUN
        pronoun = "they" if many else PRONOUN[noun]

        assert item.answers[:5] == (
            " are" if many else " is", f" {pronoun}", " have" if many else " has",
            f" {pronoun.capitalize()}", " want" if many else " wants",
        )  # fmt: skip
        assert f"the{item.answers[5]}." in item.text


@every_domain
def test_floors_leave_room(domain: str) -> None:
    assert 0 < floor(domain) < 0.2
    assert 0 < floor(domain, "hard") < 0.4


@pytest.mark.parametrize("asked", [("magic", "test", "standard"), ("copy", "exam", "standard"), ("copy", "test", "x")])
def test_unknown_names_are_refused(asked: tuple[str, str, str]) -> None:
    domain, split, level = asked

    with pytest.raises(InputError, match="The showroom has no"):
        items(domain, split, 1, level=level)


def test_corpus_hash_does_not_depend_on_the_process() -> None:
    script = (
        "import sys; from garage_nb.showroom.corpus import corpus_hash; print(corpus_hash(), 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert out == [corpus_hash(), "False"]


def _generations(item: Item) -> dict[str, int]:
    """How many generations each person is above the last one reached; apart families do not meet in a question."""
    above = {"mother": 1, "father": 1, "sister": 0, "brother": 0, "daughter": -1, "son": -1}
    links = [(who, above[word], whom) for who, word, whom in re.findall(r"(\w+) is the (\w+) of (\w+)\.", item.text)]
    found: dict[str, int] = {}
    while links:
        who, step, whom = next((link for link in links if {link[0], link[2]} & set(found)), links[0])
        base = found[whom] if whom in found else found.get(who, step) - step
        found |= {whom: base, who: base + step}
        links.remove((who, step, whom))
    return found
