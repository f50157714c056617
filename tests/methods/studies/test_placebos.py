"""Placebos know nothing, are as large as what they stand for, and leave models as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.run import read
from garage_nb.core.sites import Read
from garage_nb.inject.edits import Add
from garage_nb.inject.recipe import Recipe
from garage_nb.methods.studies.mixing import mixed_in
from garage_nb.methods.studies.papers import Papers
from garage_nb.methods.studies.placebos import Change, change_on, scrambled, silenced, turned, twin
from garage_nb.registry.lift import Lifted
from tests.methods.blades.grounds import asked, ground, live

FAMILIES = ["llama", "gpt2", "mixtral", "gemma2"]
IDS = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
each = pytest.mark.parametrize("family", FAMILIES)


def states(lifted: Lifted, place: str, *edits: object, ids: Tensor = IDS) -> Tensor:
    seen: list[Tensor] = []
    taps = [*Recipe(edits).taps(lifted.spec), Read(lifted.spec.site(place), lambda hidden: seen.append(hidden.clone()))]  # type: ignore[arg-type]
    read(lifted.model, prepare(ids, lifted.model), taps, chain=lifted.spec.chain)
    return seen[0].reshape(*ids.shape, -1)


@each
def test_a_scrambled_source_reads_other_tokens(family: str) -> None:
    source = live(family)
    before = {name: weight.clone() for name, weight in source.model.state_dict().items()}

    found, again, other = scrambled(source, 1), scrambled(source, 1), scrambled(source, 2)

    table, old = (one.model.get_input_embeddings().weight for one in (found, source))
    order = [int((old == row).all(-1).nonzero()[0]) for row in table]
    assert sorted(order) == list(range(len(old)))
    assert not any(place == token for place, token in enumerate(order))
    assert torch.equal(table, again.model.get_input_embeddings().weight)
    assert not torch.equal(table, other.model.get_input_embeddings().weight)
    mapped = torch.tensor(order)[IDS]
    assert torch.allclose(states(found, "layer_1"), states(source, "layer_1", ids=mapped), atol=1e-5)
    assert all(torch.equal(weight, before[name]) for name, weight in source.model.state_dict().items())


@each
def test_a_silenced_source_has_zeros_for_states(family: str) -> None:
    source = live(family)

    assert not states(silenced(source), "layer_1").any()
    assert states(source, "layer_1").any()


@each
def test_a_twin_as_a_source_changes_nothing(family: str) -> None:
    target = live(family)
    edit = mixed_in(target, "layer_1", twin(target), 0.5)

    assert torch.equal(states(target, "layer_2", edit), states(target, "layer_2"))


@each
def test_half_is_half_of_either(family: str) -> None:
    target, source = live(family), live(family, 1)
    edit = mixed_in(target, "layer_1", source, 0.5)

    expected = (states(target, "layer_1") + states(source, "layer_1")) / 2

    assert torch.allclose(states(target, "layer_1", edit), expected, atol=1e-5)


def test_half_of_a_model_in_bfloat16_under_padding() -> None:
    target, source = live("llama"), live("llama", 1)
    for one in (target, source):
        one.model.bfloat16()
    papers = Papers.of(target, [*asked("near", 1, 3, 7), *asked("far", 1, 2, 11)])

    change = Change.of(mixed_in(target, "layer_1", source, 0.5), target, papers)

    assert change.norm > 0
    assert (change.at, change.width) == ("layer_1", 32)


def test_a_change_is_the_mean_length_of_what_is_added() -> None:
    added = torch.linspace(-1, 1, 32)
    target = live("llama")
    before = [weight.clone() for weight in target.model.state_dict().values()]

    found = change_on(ground(target), Add("layer_1", added))

    assert found.norm == pytest.approx(float(added.norm()), rel=1e-4)
    direction, other = found.direction(1), found.direction(2)
    assert isinstance(direction, Add)
    assert float(direction.value.norm()) == pytest.approx(found.norm, rel=1e-5)  # type: ignore[union-attr]
    assert not torch.equal(direction.value, other.value)  # type: ignore[arg-type]
    noise = Change.of(found.noise(1), target, Papers.of(target, asked("near", 13, 6, 7)))
    assert noise.norm == pytest.approx(found.norm, rel=0.1)
    assert all(torch.equal(a, b) for a, b in zip(before, target.model.state_dict().values(), strict=True))


def test_turned_states_are_the_sources_after_a_rotation() -> None:
    target, source = live("llama"), live("gpt2")
    source = replace(source, tokenizer=target.tokenizer)
    plain = mixed_in(target, "layer_1", source, 1.0)

    found, other = (states(target, "layer_1", turned(plain, seed)) for seed in (1, 2))

    theirs = states(source, "layer_1")
    assert torch.allclose(found @ found.mT, theirs @ theirs.mT, atol=1e-3)  # lengths and angles
    assert not torch.allclose(found, theirs, atol=0.1)
    assert not torch.allclose(found, other, atol=0.1)
    assert torch.equal(found, states(target, "layer_1", turned(plain, 1)))
