"""Variants without proofs: bit for bit what a build with all its proofs makes of the same graft."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.compose.combining.variants import with_guest, with_layers, with_random
from garage_nb.compose.graft import Stack, Swap
from garage_nb.compose.layout.donors import opened
from garage_nb.compose.sheet import BuildSheet
from garage_nb.errors import BuildError
from garage_nb.registry.lift import lift
from tests.compose.bench import EVERY, built, logits, model, naive_stack, pair
from tests.restored import left_as_it_was


def donors_of(family: str) -> dict[str, Any]:
    return {name: opened(name, one) for name, one in pair(family).items()}


@pytest.mark.parametrize("family", EVERY)
def test_a_guest_stands_as_in_a_build(family: str) -> None:
    theirs = 3 if family in ("gemma2", "gemma3_text", "gpt_neo", "qwen2") else 2
    donors = donors_of(family)

    for kind in ("attention", "ffn", "layer"):
        place, name = f"{kind}_1", f"{kind}_{theirs}"
        found = with_guest(donors["a"], place, donors["b"], name)
        expected = built({key: one.whole for key, one in donors.items()}, Swap.of(place, f"b[{name}]")).model
        assert torch.equal(logits(found), logits(expected))
        assert type(found) is type(donors["a"].model)


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2", "opt"])
@pytest.mark.parametrize("kind", ["attention", "ffn", "layer"])
def test_its_own_part_changes_nothing(family: str, kind: str) -> None:
    base = donors_of(family)["a"]

    for layer in range(3):
        found = with_guest(base, f"{kind}_{layer}", base, f"{kind}_{layer}")
        assert torch.equal(logits(found), logits(base.model))


@pytest.mark.parametrize("families", [("llama", "llama"), ("gpt2", "llama")])
def test_adapters_are_fitted_as_in_a_build(families: tuple[str, str]) -> None:
    """Into the weights where they can be, and as a module of their own where not."""
    from tests.analyze.judging.models import showroom

    names = {"llama": "showroom-llama-seed1", "gpt2": "showroom-gpt2"}
    base, guest = showroom(names[families[0]]), showroom("showroom-llama")
    texts = tuple(f"{a} + {b} = {a + b}." for a in range(10, 40, 2) for b in (31, 47))

    found = with_guest(opened("a", base), "ffn_1", opened("b", guest), "ffn_2", "fit", texts)

    sheet = BuildSheet("a", {"a": base, "b": guest}, (Swap.of("ffn_1", "b[ffn_2]", "fit"),), texts=texts)
    assert torch.equal(logits(found), logits(sheet.build().model))
    assert not torch.equal(logits(found), logits(base.model))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "bloom"])
def test_some_of_its_layers(family: str) -> None:
    base = donors_of(family)["b"]

    found = with_layers(base, [0, 2, 3])

    assert torch.equal(logits(found), logits(naive_stack(base.model, [(base.model, layer) for layer in (0, 2, 3)])))
    assert torch.equal(logits(found), logits(built({"a": base.whole}, Stack.of("0,2,3")).model))
    assert torch.equal(logits(with_layers(base, range(4))), logits(base.model))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_random_weights_are_the_places_own_in_another_order(family: str) -> None:
    base = donors_of(family)["a"]
    path = base.spec.parts["ffn_1"].module_path

    found = with_random(base, "ffn_1", seed=3)

    trained = base.model.state_dict()
    moved = []
    for name, tensor in found.state_dict().items():
        if name.startswith(f"{path}."):
            assert torch.equal(tensor.flatten().sort().values, trained[name].flatten().sort().values)
            moved.append(not torch.equal(tensor, trained[name]))
        else:
            assert torch.equal(tensor, trained[name])
    assert moved
    assert all(moved)
    assert torch.equal(logits(found), logits(with_random(base, "ffn_1", seed=3)))
    assert not torch.equal(logits(found), logits(with_random(base, "ffn_1", seed=4)))
    assert not torch.equal(logits(found), logits(base.model))


def test_tensors_of_one_shape_are_not_put_in_one_order() -> None:
    base = donors_of("llama")["a"]
    first = base.model.model.layers[1].mlp

    found = with_random(base, "ffn_1", seed=0).model.layers[1].mlp

    ranks = [one.weight.flatten().argsort() for one in (first.gate_proj, first.up_proj)]
    places = [one.weight.flatten().argsort() for one in (found.gate_proj, found.up_proj)]
    moves = [place[rank.argsort()] for place, rank in zip(places, ranks, strict=True)]  # from here to there
    assert not torch.equal(moves[0], moves[1])


def test_donors_are_left_as_they_were() -> None:
    donors = donors_of("llama")
    state = torch.get_rng_state()

    with left_as_it_was(donors["a"].model), left_as_it_was(donors["b"].model):
        made = [
            with_guest(donors["a"], "layer_0", donors["b"], "layer_3"),
            with_random(donors["a"], "layer_0", 0),
            with_layers(donors["a"], [2]),
        ]

    assert torch.equal(torch.get_rng_state(), state)
    assert all(weight.requires_grad for weight in donors["a"].model.parameters())
    shared = {weight.data_ptr() for weight in donors["a"].model.parameters()}
    assert all(one.model.norm.weight.data_ptr() in shared for one in made)


def test_what_does_not_fit_says_why() -> None:
    gpt2, llama = (opened(name, lift(model(name))) for name in ("gpt2", "llama"))

    with pytest.raises(BuildError, match=r"ffn_0 of llama does not fit in the place of ffn_1 of gpt2: .*neurons"):
        with_guest(gpt2, "ffn_1", llama, "ffn_0")
