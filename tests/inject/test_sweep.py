"""Variants side by side in a batch are what each of them is alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import Batch, prepare
from garage_nb.core.cancel import cancellable
from garage_nb.core.run import logits
from garage_nb.core.sites import Read
from garage_nb.errors import CancelledError, EditError, InputError
from garage_nb.inject.edits import Add, Edit, Noise, Scale, Through
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.sweep import side_by_side, swept, swept_over
from garage_nb.registry.decompose import spec_of
from tests.families import FAMILIES, prompt, tiny
from tests.restored import left_as_it_was


def alone(model: Any, recipe: Recipe) -> Tensor:
    return logits(model, prepare(prompt(), model), recipe.taps(spec_of(model)), last=1)[0, -1]


def together(model: Any, recipes: list[Recipe], **options: Any) -> Tensor:
    return torch.cat(list(swept(model, spec_of(model), prepare(prompt(), model), recipes, **options)))


def recipes_of(*variants: tuple[Edit, ...]) -> list[Recipe]:
    return [Recipe(edits) for edits in variants]


def assert_each_is_itself(model: Any, recipes: list[Recipe]) -> None:
    found = together(model, recipes)

    expected = torch.stack([alone(model, recipe) for recipe in recipes])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert len(found.unique(dim=0)) > 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", ["layer_0", "layer_2", "attention_1", "ffn_1", "attention_1.head_2", "embedding"])
def test_scales_at_one_place(family: str, place: str) -> None:
    assert_each_is_itself(tiny(family), recipes_of(*[(Scale(place, factor),) for factor in (0, 0.5, 1, 2)]))


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
def test_every_variant_another_place_and_another_length(family: str) -> None:
    variants = [
        (),
        (Scale("layer_1", 0.5),),
        (Add("attention_0", 0.3), Scale("layer_1", 2.0)),
        (Scale("attention_2.head_1", 0.0), Add("attention_2.heads", 0.1), Noise("layer_0", 0.2, 5)),
        (Noise("layer_0", 0.2, 5), Through("ffn_2", torch.tanh)),
    ]

    assert_each_is_itself(tiny(family), recipes_of(*variants))


def test_experts_too() -> None:
    assert_each_is_itself(tiny("mixtral"), recipes_of(*[(Scale(f"ffn_1.expert_{i}", 0.0),) for i in range(4)]))


def test_flattened_places_too() -> None:
    model = tiny("opt", ffn_dim=64, word_embed_proj_dim=32)

    assert_each_is_itself(model, recipes_of(*[(Scale("ffn_1.neurons", factor),) for factor in (0, 1, 3)]))


def test_other_tokens_in_every_variant(llama: Any) -> None:
    spans = ["all", "0", "-1", "not_first", "2:5"]

    assert_each_is_itself(llama, recipes_of(*[(Scale("layer_1", 0.0, tokens=span),) for span in spans]))


def test_edits_in_common_come_before(llama: Any) -> None:
    common = (Scale("layer_0", 1.5), Noise("attention_1", 0.1, 7))

    assert_each_is_itself(llama, recipes_of(*[(*common, Scale("layer_1", factor)) for factor in (0, 1, 2)]))


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_any_number_of_passes_gives_the_same(llama: Any, rows: int) -> None:
    recipes = recipes_of(*[(Scale("attention_1", factor / 4),) for factor in range(7)])
    whole = together(llama, recipes)
    counted = []

    per_row = 10 * 64 * 4 * 12 + 64 * 4  # seq x widest x bytes x alive, and the logits
    for some in swept(llama, spec_of(llama), prepare(prompt(), llama), recipes, budget=rows * per_row):
        counted.append(some)

    assert max(map(len, counted)) == rows
    torch.testing.assert_close(torch.cat(counted), whole, rtol=1e-5, atol=1e-5)


def test_out_of_memory_is_met_with_fewer_rows(llama: Any) -> None:
    """A module of the user's own stands for a device that holds three rows."""
    spec_of(llama)
    small_device = Full(3)
    handle = llama.model.layers[1].register_forward_pre_hook(small_device)
    recipes = recipes_of(*[(Scale("layer_1", factor / 4),) for factor in range(8)])

    found = together(llama, recipes)

    handle.remove()
    torch.testing.assert_close(found, together(llama, recipes), rtol=1e-5, atol=1e-5)
    assert small_device.refused == [8, 4]


class Full:
    """Raises what torch raises when more than `most` rows come."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.refused: list[int] = []

    def __call__(self, module: Any, args: tuple[Any, ...]) -> None:
        if args[0].shape[0] > self.most:
            self.refused.append(args[0].shape[0])
            raise torch.OutOfMemoryError("out of memory")


def test_what_does_not_fit_at_all_is_an_error(llama: Any) -> None:
    spec_of(llama)
    handle = llama.model.layers[1].register_forward_pre_hook(Full(0))

    with pytest.raises(torch.OutOfMemoryError):
        together(llama, recipes_of((Scale("layer_1", 0.5),), (Scale("layer_1", 0.6),)))

    handle.remove()


def test_a_sweep_leaves_the_model_as_it_was(llama: Any) -> None:
    with left_as_it_was(llama):
        together(llama, recipes_of(*[(Scale("layer_1", factor),) for factor in (0, 1, 2)]))


def test_a_sweep_can_be_cancelled_between_passes(llama: Any) -> None:
    recipes = recipes_of(*[(Scale("layer_1", factor),) for factor in (0, 1, 2)])

    with left_as_it_was(llama), cancellable() as cancel:
        rows = swept(llama, spec_of(llama), prepare(prompt(), llama), recipes, budget=1)
        assert len(next(rows)) == 1
        cancel.ask()
        with pytest.raises(CancelledError):
            next(rows)


def test_several_prompts_are_refused(llama: Any) -> None:
    batch = Batch(torch.ones(2, 3, dtype=torch.long), torch.ones(2, 3, dtype=torch.long))

    with pytest.raises(InputError, match="one prompt"):
        next(swept(llama, spec_of(llama), batch, recipes_of(())))


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_all_tokens_are_answered_and_read_behind_the_edits(llama: Any, rows: int) -> None:
    spec, batch = spec_of(llama), prepare(prompt(), llama)
    recipes = recipes_of(*[(Scale("ffn_1", factor),) for factor in (0, 0.5, 1, 2, 3)])
    seen: list[Tensor] = []
    per_row = 10 * 64 * 4 * 12 + 10 * 64 * 4  # seq x widest x bytes x alive, and logits of ten tokens

    reads = [Read(spec.site("ffn_1"), seen.append)]
    pieces = list(swept_over(llama, spec, batch, recipes, reads=reads, budget=rows * per_row))

    assert max(map(len, pieces)) == rows
    expected = torch.cat([logits(llama, batch, recipe.taps(spec)) for recipe in recipes])
    torch.testing.assert_close(torch.cat(pieces), expected, rtol=1e-5, atol=1e-5)
    whole = torch.cat(seen)
    torch.testing.assert_close(whole, torch.stack([whole[2] * factor for factor in (0, 0.5, 1, 2, 3)]))


def test_one_variant_keeps_its_own_writes(llama: Any) -> None:
    recipe = Recipe((Scale("layer_1", 0.5),))

    assert [write.by for write in side_by_side([recipe], spec_of(llama))] == list(recipe)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_heads_and_neurons_of_one_place_are_written_in_one_go(family: str) -> None:
    """Whatever their number: a write copies all rows."""
    model = tiny(family)
    variants = [
        (Scale("ffn_1.neuron_3", 0.0, tokens="1"),),
        (Scale("ffn_1.neuron_4", 5.0, tokens="-1"),),
        (Scale("ffn_1.neurons", 0.5),),
        (Scale("attention_1.head_0", 2.0),),
        (Noise("attention_1.head_1", 0.5, 3),),
    ]
    recipes = recipes_of(*variants)

    assert_each_is_itself(model, recipes)
    assert len(side_by_side(recipes, spec_of(model))) == 2


def test_an_edit_of_another_shape_is_named_among_many() -> None:
    model = tiny("llama")
    wrong = Through("ffn_1.neuron_3", lambda hidden: hidden[:, :1])

    with pytest.raises(EditError, match=r"through ffn_1\.neuron_3"):
        together(model, recipes_of((wrong,), (Scale("ffn_1.neuron_4", 0.5),)))
