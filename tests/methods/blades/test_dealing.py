"""What is dealt out is all there, as much of each as before, and belongs to nothing."""

from __future__ import annotations

from collections import Counter

from garage_nb.methods.blades.dealing import dealt
from tests.methods.blades.grounds import ground, live


def test_answers_go_to_other_items_of_the_domain() -> None:
    asked = ground(live("llama"))

    found = dealt(asked, "low_rank", 0)

    ours, theirs = asked.fit["near"], found.fit["near"]
    assert [one.ways[0][0] for one in theirs] == [one.ways[0][0] for one in ours]
    assert Counter(one.ways[0][1] for one in theirs) == Counter(one.ways[0][1] for one in ours)
    assert sum(one == other for one, other in zip(ours, theirs, strict=True)) < len(ours) // 2
    assert found.fit["far"] == asked.fit["far"]
    assert (found.choose, found.test) == (asked.choose, asked.test)


def test_a_direction_loses_its_domains() -> None:
    asked = ground(live("llama"))

    found = dealt(asked, "direction", 0)

    every = [one for several in asked.fit.values() for one in several]
    assert Counter(one for several in found.fit.values() for one in several) == Counter(every)
    assert [len(several) for several in found.fit.values()] == [12, 12]
    assert 0 < sum(one.domain == "near" for one in found.fit["near"]) < 12


def test_the_same_seed_deals_alike_and_another_does_not() -> None:
    asked = ground(live("llama"))

    assert dealt(asked, "low_rank", 1).fit == dealt(asked, "low_rank", 1).fit
    assert dealt(asked, "low_rank", 1).fit != dealt(asked, "low_rank", 2).fit
