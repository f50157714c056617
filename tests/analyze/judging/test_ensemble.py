"""The mean of logits: of the donors or of those asked for, its price said, and in words why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from garage_nb.analyze.judging.ensemble import RECORD
from garage_nb.analyze.judging.evaluation import Evaluation
from garage_nb.analyze.judging.judge import judge
from garage_nb.compose.assembly.build import build
from garage_nb.compose.assembly.provenance import KEY
from garage_nb.compose.graft import Stack
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import InputError
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from tests.analyze.judging.models import named, showroom
from tests.families import PROMPT, saved, tiny

FOUR = named(*(lift(tiny("llama", layers=1, seed=seed)) for seed in range(1, 5)))


def judged(against: dict[str, Lifted], **asked: Any) -> Evaluation:
    return judge(lift(tiny("llama", layers=1)), against, Recipe(), texts=PROMPT, **asked)


def test_two_are_averaged_and_one_is_not() -> None:
    two = {name: FOUR[name] for name in ("donor 0", "donor 1")}

    assert judged(two).ensemble.members == ("donor 0", "donor 1")
    assert judged({"donor 0": FOUR["donor 0"]}).ensemble.said == ""


def test_of_several_those_asked_for_are_averaged_and_the_price_is_theirs() -> None:
    found = judged(FOUR, averaged=["donor 1", "donor 3"])

    assert found.names[-1] == "ensemble"
    assert found.ensemble.said == "the mean of the logits of donor 1 and donor 3, 2 forward passes per token"
    assert found.ensemble.said in " ".join(repr(found).split())
    assert found.of("passes", "ensemble").estimate.value == 2
    assert found.costs[-1].parameters == 2 * found.costs[0].parameters
    sums = [a + b for a, b in zip(found.costs[2].seconds, found.costs[4].seconds, strict=True)]
    assert list(found.costs[-1].seconds) == sums


def test_of_several_nobody_knows_which_it_says_so() -> None:
    found = judged(FOUR)

    assert found.names == ("live model", *FOUR)
    assert "none: name those of the 4 whose logits are to be averaged" in " ".join(repr(found).split())


def test_a_model_that_was_built_here_names_its_donors() -> None:
    donors = {"one": tiny("llama", layers=2, seed=1), "two": tiny("llama", layers=2, seed=2)}
    hybrid = build(BuildSheet("one", donors, (Stack.of("0 two[1]"),))).model
    others = {"third": lift(tiny("llama", seed=3)), **{name: lift(model) for name, model in donors.items()}}

    found = judge(lift(hybrid), others, Recipe(), texts=PROMPT)

    assert RECORD == KEY
    assert found.ensemble.members == ("one", "two")


@pytest.mark.parametrize(
    "record", ["a", 3, {"donors": "donor 0"}, {"donors": {"donor 0": 1, "donor 1": {"model_id": []}}}]
)
def test_a_config_may_say_anything(record: Any) -> None:
    model = tiny("llama", layers=1)
    setattr(model.config, RECORD, record)

    found = judge(lift(model), FOUR, Recipe(), texts=PROMPT)

    known = isinstance(record, dict) and isinstance(record["donors"], dict)
    assert found.ensemble.members == (("donor 0", "donor 1") if known else ())


def test_unlike_vocabularies_are_refused_in_words_and_the_rest_goes_on(tmp_path: Path) -> None:
    others = {"letters": lift(saved("llama", tmp_path)), "seed": showroom("showroom-llama-seed1")}

    found = judge(showroom(), others, Recipe(), texts=["the cat sat", "a mat"], averaged=["letters", "seed"])

    assert found.names == ("showroom-llama", "letters", "seed")
    assert "logits of letters and seed cannot be averaged, their vocabularies have 64 and 1,243" in found.ensemble.said
    assert found.of("surprise", "letters").verdict
    assert "cannot be averaged" in " ".join(repr(found).split())
    assert "cannot be averaged" in found._repr_html_()


@pytest.mark.parametrize(
    ("asked", "said"), [(["nobody", "donor 1"], "'nobody' is none"), (["donor 1", "donor 1"], "takes two"), ([], "two")]
)
def test_who_is_not_there_cannot_be_averaged(asked: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        judged(FOUR, averaged=asked)
    assert caught.value.hint == "Name two or more of: donor 0, donor 1, donor 2, donor 3."
