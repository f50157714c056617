"""Claims that are tried together: those that can be, with the reasons of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from garage_nb.errors import InputError
from garage_nb.methods.claims.table import PROPOSALS
from garage_nb.methods.proposal import Proposal
from garage_nb.methods.studies.ground import EXPERTS
from garage_nb.methods.studies.own_ground import own_ground
from garage_nb.methods.together import tried_together
from garage_nb.methods.trial import Trial
from tests.methods.claims.trying import FEW, exercises, model

KEYS = ("layer-n-minus-4", "sparse-pathways-50", "router-bias")


def tried(proposal: Proposal) -> Trial:
    """Without another model, and without routers."""
    ground = own_ground(model("showroom-llama"), [], proposal.needs, exercises(), ["sorting"])
    return proposal.tried(ground, seed=3)


def test_what_cannot_be_tried_is_left_out_with_the_reason() -> None:
    found = tried_together([replace(PROPOSALS[key], quick=FEW) for key in KEYS], tried)

    assert [one.claim.key for one in found.trials] == ["sparse-pathways-50"]
    assert found.trials[0].seed == 3
    assert found.left_out["layer-n-minus-4"].startswith("This claim takes: a copy")
    assert "No router" in found.left_out["router-bias"]
    frame = found.frame()
    assert list(frame.index) == ["sparse-pathways-50", "layer-n-minus-4", "router-bias"]
    assert list(frame["ruling"][1:]) == ["left out", "left out"]
    assert frame["p"][1:].isna().all()
    assert "No router" in repr(found)


def test_what_only_a_run_refuses_leaves_the_others_as_they_are() -> None:
    """In the middle: its model has routers, and no neurons outside experts."""
    moe = own_ground(model("showroom-moe"), [], (EXPERTS,), exercises(), ["sorting"])
    bias, sparse, calibration = (
        replace(PROPOSALS[key], quick=FEW) for key in ("router-bias", "sparse-pathways-50", "router-calibration")
    )

    found = tried_together([bias, sparse, calibration], lambda one: one.tried(moe))

    assert [one.claim.key for one in found.trials] == ["router-bias", "router-calibration"]
    assert found.left_out == {"sparse-pathways-50": "ffn_0 of showroom-moe has no neurons that can be read."}
    assert found["router-bias"].outcomes.frame().equals(bias.tried(moe).outcomes.frame())
    with pytest.raises(InputError, match="None of 1 claims can be tried on this; sparse-pathways-50: ffn_0 of"):
        tried_together([sparse], lambda one: one.tried(moe))


def test_none_at_all_is_refused_before_any_run() -> None:
    alone = [replace(PROPOSALS[key], study=None) for key in (KEYS[0], KEYS[2])]  # type: ignore[arg-type]

    with pytest.raises(InputError, match="None of 2 claims can be tried on this; layer-n-minus-4: This claim takes"):
        tried_together(alone, tried)
