"""Blocks before an edit are left out where what left them is kept, and not one bit of the answer is another."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import Batch
from garage_nb.core.run import logits
from garage_nb.errors import UnsupportedModelError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.part_spec import PartType
from garage_nb.registry.specs import ModelSpec
from tests.coverage.test_coverage import CHOSEN, REST
from tests.coverage.zoo import Entry, build, inputs


class Counted:
    """How many blocks of a chain ran their own code. A hook would be seen and respected, so the interpreter counts."""

    def __init__(self, model: Any, spec: ModelSpec) -> None:
        self.blocks = {id(model.get_submodule(link.path)) for link in spec.chain.links}
        kinds = {type(model.get_submodule(link.path)) for link in spec.chain.links}
        self.codes = {inspect.unwrap(kind.forward).__code__ for kind in kinds}
        self.ran = 0

    def run(self, work: Callable[[], Tensor]) -> Tensor:
        self.ran, before = 0, sys.getprofile()
        sys.setprofile(self._called)
        try:
            return work()
        finally:
            sys.setprofile(before)

    def _called(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code in self.codes:
            self.ran += id(frame.f_locals.get("self")) in self.blocks


def batch_for(model: Any) -> Batch:
    given = inputs(model)
    ids = given.pop("input_ids")
    return Batch(ids, torch.ones_like(ids), **given)


def ran_at_each_layer(entry: Entry) -> dict[str, tuple[int, int, int]]:
    """Layer -> how many blocks ran once all was kept and proved, how few would do, and how many there are."""
    model = build(entry)
    spec, batch, found = spec_of(model), batch_for(model), {}
    counted = Counted(model, spec)
    for layer in spec.available(PartType.FULL_LAYER):
        taps = Recipe((Scale(layer, -0.7),)).taps(spec)
        whole = counted.run(lambda taps=taps: logits(model, batch, taps))  # type: ignore[misc]
        every = counted.ran
        for turn in ("keeps", "proves", "answers with what was kept"):
            again = counted.run(lambda taps=taps: logits(model, batch, taps, chain=spec.chain))  # type: ignore[misc]
            assert torch.equal(again, whole), f"{layer}: the run that {turn}"
        found[layer] = counted.ran, len(spec.chain) - spec.chain.start(spec.site(layer)), every
    return found


WHOLE = {
    "causal-gemma3n_text": "later blocks read keys and values of earlier ones",
    "causal-hrm_text": "a block's later calls take what an earlier call of another left",
    "seq2seq-nllb-moe": "its routers set their capacity anew in every call, so no two moments are the same",
}


def demand_no_more_than_needed(entry: Entry) -> None:
    found = ran_at_each_layer(entry)

    assert found
    if str(entry) in WHOLE:
        assert any(ran == every > least for ran, least, every in found.values()), f"{entry} need not run whole any more"
        assert all(ran in (least, every) for ran, least, every in found.values())
    else:
        assert {layer: ran for layer, (ran, _, _) in found.items()} == {
            layer: least for layer, (_, least, _) in found.items()
        }


@pytest.mark.parametrize("entry", CHOSEN, ids=str)
def test_the_same_bits_from_fewer_blocks(entry: Entry) -> None:
    demand_no_more_than_needed(entry)


@pytest.mark.slow
@pytest.mark.parametrize("entry", REST, ids=str)
def test_the_same_bits_from_fewer_blocks_in_every_other_class(entry: Entry) -> None:
    try:
        demand_no_more_than_needed(entry)
    except UnsupportedModelError as refused:
        pytest.skip(str(refused))


@pytest.mark.parametrize("name", WHOLE)
def test_a_model_whose_blocks_hand_on_more_than_they_return_runs_whole(name: str) -> None:
    demand_no_more_than_needed(next(entry for entry in REST if str(entry) == name))
