"""What a report is read by: texts as the model reads them, by domain and together, and the prompts among them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.analyze.texts.domains import texts_by_domain
from garage_nb.errors import InputError, UnsupportedModelError
from garage_nb.inject.recipe import Recipe
from garage_nb.pipelines.diagnose.case import FULL, QUICK, RANDOM, Case, case
from garage_nb.registry.lift import Lifted, lift
from garage_nb.registry.part_spec import PartType
from tests.families import VOCAB, tiny

TEXTS = {
    "long": ["The capital of France is Paris.", "The capital of Japan is"],
    "short": ["2 + 2 = 4"],
}


@pytest.fixture(scope="module")
def showroom() -> Lifted:
    return lift("showroom")


def asked(lifted: Lifted, texts: Any = None, count: int = 0, seed: int = 0) -> Case:
    exercises = [Exercise(ways=((f"{place} + 1 =", f" {place + 1}"),)) for place in range(count)]
    return case(lifted, Recipe(), texts, exercises, QUICK, seed)


def ids(lifted: Lifted, prompts: Any) -> list[list[int]]:
    return [one.input_ids[0].tolist() for each in texts_by_domain(lifted, prompts).values() for one in each]


def test_rows_are_the_texts_as_the_tokenizer_cuts_them(showroom: Lifted) -> None:
    found = asked(showroom, TEXTS)
    alone = [showroom.tokenizer(text)["input_ids"] for texts in TEXTS.values() for text in texts]

    assert ids(showroom, found.domains) == alone
    assert ids(showroom, found.together) == alone
    assert list(found.domains) == list(TEXTS)


def test_a_quick_report_reads_fewer_of_each_domain(showroom: Lifted) -> None:
    many = {"a": [f"{place} + 1 =" for place in range(40)], "b": ["2 + 2 ="]}

    quick, full = (case(showroom, Recipe(), many, (), sizes, 0) for sizes in (QUICK, FULL))

    assert [len(each) for each in quick.texts.values()] == [QUICK.texts, 1]
    assert [len(each) for each in full.texts.values()] == [40, 1]


def test_without_texts_ids_are_drawn_by_the_seed() -> None:
    lifted = lift(tiny("gpt2"))
    state = torch.random.get_rng_state()

    one, same, other = (asked(lifted, seed=seed) for seed in (0, 0, 1))

    assert list(one.texts) == [RANDOM]
    assert one.together == same.together != other.together
    assert all(0 <= token < VOCAB for row in one.together["input_ids"] for token in row)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_random_ids_cannot_be_foreseen() -> None:
    with pytest.raises(InputError, match="random ids can be read, but not foreseen"):
        asked(lift(tiny("gpt2"))).demand_texts()


def test_prompts_are_those_of_items_from_the_first_to_the_last(showroom: Lifted) -> None:
    found = asked(showroom, TEXTS, count=64).prompts

    assert found == [f"{place * 4} + 1 =" for place in range(16)]


def test_prompts_are_whole_texts_where_there_are_no_items(showroom: Lifted) -> None:
    found = asked(showroom, TEXTS)

    assert ids(showroom, found.prompts) == ids(showroom, TEXTS)
    assert ids(showroom, found.prompt) == ids(showroom, TEXTS)[:1]


def test_parts_come_in_the_order_of_the_model(showroom: Lifted) -> None:
    found = asked(showroom, TEXTS).parts(PartType.FFN, PartType.ATTENTION)

    assert found[:4] == ["attention_0", "ffn_0", "attention_1", "ffn_1"]


def test_a_kind_that_is_not_there_is_said(showroom: Lifted) -> None:
    with pytest.raises(UnsupportedModelError, match="has no mixer that can be read"):
        asked(showroom, TEXTS).parts(PartType.MIXER)
