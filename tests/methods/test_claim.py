"""Claims that could not be settled are refused before any run."""

from __future__ import annotations

import pytest

from garage_nb.errors import InputError
from garage_nb.methods.claim import Arm, Effort, Role
from garage_nb.methods.rules.beats import Beats
from tests.methods.synthetic import ARMS, claim


def test_a_claim_knows_its_arms_by_role() -> None:
    found = claim()

    assert found.untouched == "target"
    assert found.named(Role.NO_OP) == ("target", "itself")
    assert found.named(Role.CONTROL) == ("shuffled",)


@pytest.mark.parametrize("key", ["", "Gated", "gated over", "gated--over", "-gated", "gated_over", "gated\n"])
def test_a_key_is_small_words(key: str) -> None:
    with pytest.raises(InputError, match="is no key of a claim"):
        claim(key=key)


def test_arms_have_names_of_their_own() -> None:
    for wrong in (ARMS[0], Arm("", Role.CONTROL)):
        with pytest.raises(InputError, match="Two arms of gated-over-shuffled have one name, or one has none"):
            claim(arms=(*ARMS, wrong))


def test_the_rule_is_about_its_arms() -> None:
    with pytest.raises(InputError, match=r"needs merge\.\nThere are: target, itself, gated"):
        claim(Beats(treatment="gated", controls=("merge",), margin=0.05))


def test_there_is_something_to_be_held_against() -> None:
    with pytest.raises(InputError, match="no no-op"):
        claim(arms=ARMS[2:])


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_is_an_effect_that_would_matter(margin: float) -> None:
    with pytest.raises(InputError, match="Say what effect would matter"):
        claim(Beats(treatment="gated", controls=("shuffled",), margin=margin))


def test_no_runs_are_no_effort() -> None:
    with pytest.raises(InputError, match="0 items under 5 seeds"):
        Effort(0)
