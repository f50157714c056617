"""Path patching on two layers, with every path taken by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.causal.patch_grid import PatchGrid
from garage_nb.analyze.causal.path import path
from garage_nb.errors import GarageError, InputError, UnavailablePartError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import hooked, last_logits, patched, state
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import hooks_on, left_as_it_was

CLEAN, CORRUPT = [3, 1, 4, 1, 5, 9, 2, 6], [3, 1, 7, 1, 5, 8, 2, 6]
TARGET, FOIL = 5, 9
BLOCK = {"gpt2": "transformer.h.1", "llama": "model.layers.1", "gemma2": "model.layers.1"}
NORM = {"gpt2": "ln_1", "llama": "input_layernorm", "gemma2": "input_layernorm"}
FINAL = {"gpt2": "transformer.ln_f", "llama": "model.norm", "gemma2": "model.norm"}
WHOLE = slice(None)


def paths(
    model: Any, senders: str, receiver: str = "output", recipe: Recipe | None = None, **options: Any
) -> PatchGrid:
    asked = {"clean": CLEAN, "corrupt": CORRUPT, "target": TARGET, "foil": FOIL, **options}
    return path(Garage(model).lifted, recipe=recipe or Recipe(), senders=senders, receiver=receiver, **asked)


def difference(logits: Tensor) -> float:
    return float(logits[TARGET] - logits[FOIL])


def moved(model: Any, sender: str, at: slice = WHOLE) -> Tensor:
    """How far the sender's clean rows are from its corrupt ones."""
    change = state(model, CLEAN, sender) - state(model, CORRUPT, sender)
    whole = torch.zeros_like(change)
    whole[at] = change[at]
    return whole


def entering(model: Any, where: str, change: Tensor) -> Any:
    """Adds to what one module is given, and to nothing that goes past it."""
    return model.get_submodule(where).register_forward_pre_hook(lambda module, args: (args[0] + change, *args[1:]))


@pytest.mark.parametrize("family", BLOCK)
@pytest.mark.parametrize(("tokens", "at"), [("all", WHOLE), ("-1", slice(-1, None)), ("2", slice(2, 3))])
def test_from_a_first_half_to_the_second_attention(family: str, tokens: str, at: slice) -> None:
    model = tiny(family, layers=2)

    with left_as_it_was(model):
        found = paths(model, "attention_0,ffn_0", "attention_1", tokens=tokens)

    for row, sender in enumerate(found.parts):
        handle = entering(model, f"{BLOCK[family]}.{NORM[family]}", moved(model, sender, at))
        heard = state(model, CORRUPT, "attention_1")
        handle.remove()
        expected = difference(patched(model, CORRUPT, "attention_1", heard, WHOLE))
        assert float(found.shown[row, 0]) == pytest.approx(expected, abs=1e-5)
        assert abs(expected - found.contrast.of_corrupt) > 1e-5
    assert hooks_on(model) == {}


@pytest.mark.parametrize("family", BLOCK)
def test_straight_to_the_output(family: str) -> None:
    """It goes past everything, and is added to what the final norm is given."""
    model = tiny(family, layers=2)

    found = paths(model, "attention_0,ffn_0,attention_1,ffn_1")

    for row, sender in enumerate(found.parts):
        handle = entering(model, FINAL[family], moved(model, sender))
        expected = difference(last_logits(model, CORRUPT))
        handle.remove()
        assert float(found.shown[row, 0]) == pytest.approx(expected, abs=1e-5)


def test_from_head_to_head(llama: Any) -> None:
    """A head's share of what its attention adds, on the way to one head two blocks up."""
    model = tiny("llama", layers=2)

    found = paths(model, "attention_0.head_1", "attention_1.head_2")

    projection = model.model.layers[0].self_attn.o_proj.weight[:, 8:16]
    change = moved(model, "attention_0.head_1") @ projection.T
    handle = entering(model, "model.layers.1.input_layernorm", change.detach())
    heard = state(model, CORRUPT, "attention_1.head_2")
    handle.remove()
    expected = difference(patched(model, CORRUPT, "attention_1.head_2", heard, WHOLE))
    assert float(found.shown[0, 0]) == pytest.approx(expected, abs=1e-5)


def test_all_paths_from_the_last_half_are_the_patch_itself(llama: Any) -> None:
    found = paths(llama, "ffn_2")

    expected = difference(patched(llama, CORRUPT, "ffn_2", state(llama, CLEAN, "ffn_2"), WHOLE))
    assert float(found.shown[0, 0]) == pytest.approx(expected, abs=1e-5)


def test_nothing_goes_back(llama: Any) -> None:
    found = paths(llama, "ffn_2,attention_2", "attention_1")

    assert found.recovery.flatten().tolist() == pytest.approx([0, 0], abs=1e-4)


@pytest.mark.parametrize("edited", ["ffn_0", "layer_0"])
def test_the_recipe_is_in_force(edited: str) -> None:
    """An edit of the stream scales what goes along it."""
    model = tiny("llama", layers=2)

    found = paths(model, "attention_0", "attention_1", Recipe((Scale(edited, 3.0),)))

    with hooked(model, edited, lambda hidden: 3.0 * hidden):
        change = moved(model, "attention_0") * (3.0 if edited == "layer_0" else 1.0)
        handle = entering(model, "model.layers.1.input_layernorm", change)
        heard = state(model, CORRUPT, "attention_1")
        handle.remove()
        expected = difference(patched(model, CORRUPT, "attention_1", heard, WHOLE))
    assert float(found.shown[0, 0]) == pytest.approx(expected, abs=1e-5)


REFUSED = {
    "itself": ({"senders": "attention_0.head_1", "receiver": "attention_0"}, InputError, "send to itself"),
    "stream": ({"senders": "attention_0", "receiver": "layer_1"}, InputError, "no receiver"),
    "lengths": ({"senders": "attention_0", "corrupt": CORRUPT[:4]}, InputError, "8 tokens, the corrupt one 4"),
    "name": ({"senders": "attention_0", "receiver": "outputs"}, GarageError, "outputs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_path_is_refused_in_two_lines(llama: Any, case: str) -> None:
    options, kind, message = REFUSED[case]

    with pytest.raises(kind, match=message) as caught:
        paths(llama, **options)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("entry", [("mamba", "MambaForCausalLM"), ("granite", "GraniteForCausalLM")])
def test_blocks_that_add_more_are_refused_and_others_answered(entry: tuple[str, str]) -> None:
    model = build(Entry("causal", *entry))

    if entry[0] == "mamba":
        with pytest.raises((UnsupportedModelError, UnavailablePartError)):
            paths(model, "layer_0")
    else:
        found = paths(model, "attention_2,ffn_2")
        expected = difference(last_logits(model, CORRUPT))
        assert found.contrast.of_corrupt == pytest.approx(expected, abs=1e-4)


def test_it_says_where_it_leads(llama: Any) -> None:
    found = paths(llama, "attention_*.head_*", "ffn_2")

    assert "straight to ffn_2" in repr(found)
    assert found.plot().axes.images[0].get_array().shape == (3, 4)
