"""Grounds: what is refused before any run, and how a user's own items are split."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.errors import EditError, InputError
from garage_nb.methods.studies.ground import EXPERTS, SIBLING, STRANGER, fourth_last, place_of
from garage_nb.methods.studies.own_ground import own_ground
from tests.methods.blades.grounds import asked, ground, live

ITEMS = [*asked("near", 1, 60, 7), *asked("far", 1, 60, 11)]


def test_an_item_is_not_fitted_on_and_tested_by() -> None:
    found = ground(live("llama"))

    with pytest.raises(InputError, match=r"An item is fitted on and tested by: 'w.*\nSplit the items"):
        replace(found, test={**found.test, "far": found.fit["far"]})
    with pytest.raises(InputError, match="An item is fitted on and tested by"):
        replace(found, test={**found.test, "far": found.choose["near"]})
    prompt, answer = found.fit["far"][0].ways[0]
    with pytest.raises(InputError, match="An item is fitted on and tested by"):
        replace(found, test={**found.test, "far": [Exercise(ways=((f" {prompt}  ", f"{answer} 1"),))]})


@pytest.mark.parametrize(("pool", "said"), [("fit", "fit on"), ("choose", "choose by"), ("test", "test by")])
def test_the_domain_has_items_of_every_kind(pool: str, said: str) -> None:
    found = ground(live("llama"))

    with pytest.raises(InputError, match=f"There are no items of 'near' to {said}"):
        replace(found, **{pool: {"far": getattr(found, pool)["far"]}})


def test_models_read_the_same_tokens() -> None:
    found = ground(live("llama"))

    with pytest.raises(EditError, match="does not read the same tokens"):
        replace(found, others={SIBLING: live("llama", vocab_size=80)})
    with pytest.raises(InputError, match="This needs a model of the same class"):
        found.other(STRANGER)


def test_places_are_counted_from_the_end() -> None:
    assert fourth_last(live("gpt2", layers=6)) == "layer_2"
    assert fourth_last(live("llama", layers=2)) == "layer_0"
    assert place_of(ground(live("llama", layers=5))) == "layer_1"
    found = ground(live("llama"))
    assert found.domains == ("near", "far")
    lessons = found.lessons("far")
    assert [p + a for p, a in zip(lessons.prompts, lessons.answers, strict=True)] == [
        one.text for one in found.fit["far"]
    ]


def test_own_items_are_split_by_what_they_say() -> None:
    """The same ones land where they did, in any order and with others beside them."""
    target, source = live("llama"), live("llama", 1)

    found = own_ground(target, [source], [SIBLING], ITEMS, ["far"])
    fewer = own_ground(target, [source], [SIBLING], ITEMS[::-1][10:], ["far"])

    pools = [found.fit, found.choose, found.test]
    texts = [{one.text for several in pool.values() for one in several} for pool in pools]
    assert sum(map(len, texts)) == len({one.text for one in ITEMS}) == len(set().union(*texts))
    assert len(texts[0]) > len(texts[2]) > len(texts[1])
    for pool, other in zip(texts, [fewer.fit, fewer.choose, fewer.test], strict=True):
        assert {one.text for several in other.values() for one in several} <= pool
    assert (found.domain, found.other_domain) == ("far", "near")
    assert found.other(SIBLING) is source


def test_a_prompt_is_not_fitted_on_with_one_answer_and_tested_with_another() -> None:
    """As rows of a table that gives each right answer a line of its own."""
    rows = [
        Exercise(ways=((f"w{one + 3} w{other + 3}", f" w{answer + 3}"),), domain="near")
        for one in range(10)
        for other in range(10)
        for answer in range(3)
    ]

    found = own_ground(live("llama"), [], [], rows, [])

    prompts = [{one.ways[0][0] for one in pool["near"]} for pool in (found.fit, found.choose, found.test)]
    assert sum(map(len, prompts)) == len(set().union(*prompts)) == 100
    with pytest.raises(InputError, match="An item is fitted on and tested by"):
        replace(found, test={"near": [replace(found.fit["near"][0], ways=((found.fit["near"][0].ways[0][0], " w9"),))]})


def test_a_domain_that_is_named_twice_is_no_other_domain() -> None:
    assert own_ground(live("llama"), [], [], ITEMS, ["far", "far"]).other_domain == "near"


def test_own_models_come_as_the_claim_takes_them() -> None:
    target, source = live("llama"), live("llama", 1)

    assert own_ground(target, [], [EXPERTS], ITEMS, []).other(EXPERTS) is target
    with pytest.raises(InputError, match=r"This claim takes: a copy of the target .*Given: 0"):
        own_ground(target, [], [SIBLING], ITEMS, [])
    with pytest.raises(InputError, match=r"This claim takes: none\. Given: 1"):
        own_ground(target, [source], [], ITEMS, [])
    with pytest.raises(InputError, match=r"No item is of 'poems'\.\nThere are: near, far"):
        own_ground(target, [source], [SIBLING], ITEMS, ["poems"])
    with pytest.raises(InputError, match="There are no items of 'near' to"):
        own_ground(target, [source], [SIBLING], ITEMS[:1], [])
