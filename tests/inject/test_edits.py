"""Each edit does its arithmetic where it was put and nowhere else."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from garage_nb.core.attach import Attached
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.edits import Add, Edit, Noise, Scale, Through
from garage_nb.inject.recipe import History, Recipe
from garage_nb.inject.threshold import Threshold
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, prompt, tiny
from tests.restored import left_as_it_was, logits_of


def hidden_under(model: Any, recipe: Recipe, name: str) -> Tensor:
    taps = recipe.taps(spec_of(model))
    return SnapshotCapture(model).run(prompt(), layers=name, under=taps, keep=True)[spec_of(model).name(name)].hidden


def hidden_of(model: Any, name: str) -> Tensor:
    return hidden_under(model, Recipe(), name)


DIRECTION = torch.linspace(-1, 1, 32)
DOUBLE = nn.Linear(32, 32, bias=False)
with torch.no_grad():
    DOUBLE.weight.copy_(2 * torch.eye(32))


@pytest.mark.parametrize(
    ("edit", "oracle"),
    [
        (Scale("layer_1", 0.5), lambda h: h * 0.5),
        (Scale("layer_1", 0), torch.zeros_like),
        (Add("layer_1", 0.25), lambda h: h + 0.25),
        (Add("layer_1", DIRECTION), lambda h: h + DIRECTION),
        (Add("layer_1", DIRECTION.double().expand(10, 32)), lambda h: h + DIRECTION),
        (Threshold("layer_1", 0.5), lambda h: h * (h.abs() > 0.5)),
        (Threshold("layer_1", 0), lambda h: h),
        (Threshold("layer_1", 1e300), torch.zeros_like),
        (Through("layer_1", torch.tanh), torch.tanh),
        (Through("layer_1", DOUBLE), lambda h: h * 2),
    ],
    ids=lambda value: str(value) if isinstance(value, Edit) else "",
)
def test_arithmetic(any_model: Any, edit: Edit, oracle: Any) -> None:
    bare = hidden_of(any_model, "layer_1")

    with left_as_it_was(any_model):
        changed = hidden_under(any_model, Recipe((edit,)), "layer_1")

    torch.testing.assert_close(changed, oracle(bare), rtol=0, atol=0)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_scaling_a_half_to_nothing_takes_it_out_of_the_stream(model_type: str) -> None:
    model = tiny(model_type)
    parallel = model_type == "phi"
    before, ffn, attention = (hidden_of(model, name) for name in ("layer_0", "ffn_1", "attention_1"))

    without_attention = hidden_under(model, Recipe((Scale("attention_1", 0), Scale("ffn_1", 0))), "layer_1")
    without_ffn = hidden_under(model, Recipe((Scale("ffn_1", 0),)), "layer_1")

    assert torch.equal(without_attention, before)
    torch.testing.assert_close(without_ffn, before + attention, rtol=1e-5, atol=1e-5)
    assert parallel or not torch.equal(ffn, hidden_under(model, Recipe((Scale("attention_1", 0),)), "ffn_1"))


@pytest.mark.parametrize(("place", "whole", "own"), [
    ("attention_1.head_2", "attention_1.heads", slice(16, 24)), ("ffn_1.neuron_17", "ffn_1.neurons", slice(17, 18)),
])  # fmt: skip
def test_a_head_or_neuron_is_changed_alone(llama: Any, place: str, whole: str, own: slice) -> None:
    expected = hidden_of(llama, whole).clone()
    expected[..., own] = expected[..., own] * -2 + 1

    changed = hidden_under(llama, Recipe((Scale(place, -2), Add(place, 1.0))), whole)

    assert torch.equal(changed, expected)


def test_a_head_scaled_to_nothing_leaves_the_others_sum(llama: Any) -> None:
    """By hand: the attention's output without head 2 is the projection of the other heads."""
    heads = hidden_of(llama, "attention_1.heads").clone()
    heads[..., 16:24] = 0
    with torch.no_grad():
        expected = llama.model.layers[1].self_attn.o_proj(heads)

    assert torch.equal(hidden_under(llama, Recipe((Scale("attention_1.head_2", 0),)), "attention_1"), expected)


def test_edits_at_one_place_act_in_order(llama: Any) -> None:
    bare = hidden_of(llama, "layer_0")

    scaled_then_added = hidden_under(llama, Recipe() + Scale("layer_0", 2) + Add("layer_-3", 1.0), "layer_0")
    added_then_scaled = hidden_under(llama, Recipe() + Add("layer_0", 1.0) + Scale("layer_0", 2), "layer_0")

    assert torch.equal(scaled_then_added, bare * 2 + 1)
    assert torch.equal(added_then_scaled, (bare + 1) * 2)


def test_noise_is_drawn_from_its_own_generator(llama: Any) -> None:
    bare = hidden_of(llama, "layer_0")
    state = torch.get_rng_state()

    first, second, other = (
        hidden_under(llama, Recipe((Noise("layer_0", 0.5, seed),)), "layer_0") for seed in (3, 3, 4)
    )

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    drawn = torch.randn(bare.shape, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(first, bare + 0.5 * bare.std(correction=0) * drawn)


def test_noise_on_a_single_value_is_no_nan(gpt2: Any) -> None:
    with torch.no_grad(), Attached(gpt2, Recipe((Noise("ffn_0.neuron_3", 0.5),)).taps(spec_of(gpt2))):
        assert gpt2(torch.tensor([[5]])).logits.isfinite().all()


def test_a_module_is_called_as_a_module(llama: Any) -> None:
    """So hooks on it fire, and its parameters stay its own."""
    fired: list[Any] = []
    module = nn.Linear(32, 32)
    module.register_forward_hook(lambda module, args, output: fired.append(args[0].shape))

    hidden_under(llama, Recipe((Through("ffn_1", module),)), "ffn_1")

    assert fired == [(1, 10, 32)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Add("layer_1", torch.ones(7)), r"\(7,\) does not fit layer_1"),
        (Add("attention_0.head_1", torch.ones(32)), r"\(32,\) does not fit attention_0.head_1"),
        (Add("layer_1", torch.ones(5, 1, 1, 32)), "does not fit layer_1"),
        (Through("layer_1", lambda h: h[:, :1]), "returned"),
        (Through("attention_0.head_1", lambda h: h[..., :1]), "through attention_0.head_1 <lambda>' returned"),
        (Through("layer_1", lambda h: None), "NoneType"),
        (Through("layer_1", nn.Flatten()), "returned"),
    ],
    ids=lambda value: str(value) if isinstance(value, Edit) else "",
)
def test_an_edit_that_does_not_fit_is_refused(gpt2: Any, edit: Edit, message: str) -> None:
    with left_as_it_was(gpt2), pytest.raises(EditError, match=message) as caught:
        hidden_under(gpt2, Recipe((edit,)), "all")

    assert str(caught.value).count("\n") == 1


def test_what_cannot_be_called_is_no_edit() -> None:
    with pytest.raises(EditError, match="3 cannot be called"):
        Through("layer_1", 3).writer()  # type: ignore[arg-type]


def test_a_place_that_is_not_there_is_refused_before_anything_runs(gpt2: Any) -> None:
    with left_as_it_was(gpt2), pytest.raises(UnknownPartError, match="layer_9"):
        Recipe((Scale("layer_0", 0), Scale("layer_9", 1))).taps(spec_of(gpt2))


def test_edits_say_what_they_do() -> None:
    recipe = Recipe() + Scale("layer_3", 0.5) + Add("ffn_1", DIRECTION) + Through("layer_0", nn.Tanh())

    assert str(recipe) == "scale layer_3 0.5; add ffn_1 tensor(32,); through layer_0 Tanh"
    assert str(Recipe()) == "nothing changed"


@pytest.mark.parametrize("number", [np.float64(-6), np.float32(-6), np.int64(-6), Fraction(-6)])
def test_numbers_of_others_become_pythons(number: Any) -> None:
    """Or the line that is copied says np.float64(-6.0)."""
    assert repr(Scale("layer_0", number).factor) in ("-6", "-6.0")


def test_places_are_catalogue_names_once_each(llama: Any) -> None:
    recipe = Recipe() + Scale("layer_-1", 2) + Scale("mlp_0", 2) + Scale("model.layers.2", 3)

    assert recipe.places(spec_of(llama)) == ("layer_2", "ffn_0")
    assert len(recipe) == 3


def test_history_walks_back_and_forth() -> None:
    one, two, three = (Recipe((Scale("layer_0", factor),)) for factor in (1, 2, 3))
    history = History().to(one).to(two)

    assert history.undo().now == one
    assert history.undo().undo().now == Recipe()
    assert history.undo().undo().redo().redo() == history
    assert history.undo().to(three).past == (Recipe(), one)


def test_history_ends() -> None:
    with pytest.raises(EditError, match="nothing to undo"):
        History().undo()
    with pytest.raises(EditError, match="nothing to redo"):
        History().redo()
    with pytest.raises(EditError, match="nothing to redo"):
        History().to(Recipe((Scale("layer_0", 1),))).undo().to(Recipe()).redo()


def test_a_recipe_that_changes_nothing_gives_the_same_logits(any_model: Any) -> None:
    bare = logits_of(any_model)

    with torch.no_grad(), Attached(any_model, Recipe((Scale("layer_1", 1),)).taps(spec_of(any_model))):
        assert torch.equal(logits_of(any_model), bare)


@pytest.mark.parametrize("family", ["gemma2", "gemma3_text"])
def test_a_raw_path_means_the_module_where_the_part_is_read_elsewhere(family: str) -> None:
    spec = spec_of(tiny(family))
    path = spec.parts["attention_1"].module_path

    assert spec.site(path).path == path
    assert spec.site("attention_1").path != path
