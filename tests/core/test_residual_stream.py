"""What is read at a place is what transformers itself says passes there, bit for bit, in every family."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.run import read
from garage_nb.core.sites import Read, Site
from garage_nb.errors import HookError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import PartType
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, prompt, tiny

ALREADY_RECORDED = [False, True]


def hidden_of(model: Any, *names: str) -> list[Tensor]:
    snapshots = SnapshotCapture(model).run(prompt(), layers=list(names), keep=True)
    return [snapshots[name].hidden for name in names]


@pytest.mark.parametrize("recorded_first", ALREADY_RECORDED)
@pytest.mark.parametrize("model_type", FAMILIES)
def test_layers_equal_the_hidden_states_of_transformers(model_type: str, recorded_first: bool) -> None:
    model = tiny(model_type)
    if recorded_first:
        model(prompt(), output_hidden_states=True)

    *layers, final = hidden_of(model, "layer_0", "layer_1", "layer_2", "layer_norm_final")

    with torch.no_grad():
        expected = model(prompt(), output_hidden_states=True, use_cache=False).hidden_states
    assert torch.equal(layers[0], expected[1])
    assert torch.equal(layers[1], expected[2])
    assert torch.equal(final, expected[3])
    assert torch.equal(spec_final_norm(model, layers[2]), expected[3])


def spec_final_norm(model: Any, hidden: Tensor) -> Tensor:
    with torch.no_grad():
        return model.get_submodule(spec_of(model).parts["layer_norm_final"].module_path)(hidden)


def test_halves_add_up_to_the_block(any_model: Any) -> None:
    """Residual before + what attention adds + what ffn adds = residual after."""
    before, attention, ffn, after = hidden_of(any_model, "layer_0", "attention_1", "ffn_1", "layer_1")

    torch.testing.assert_close(before + attention + ffn, after, rtol=1e-5, atol=1e-5)
    assert attention.abs().max() > 1e-3
    assert ffn.abs().max() > 1e-3


def test_heads_and_neurons_are_what_enters_the_last_projection(any_model: Any) -> None:
    spec = spec_of(any_model)
    names = [f"{name}.heads" for name in spec.select("attention_*")]
    names += [f"{name}.neurons" for name in spec.select("ffn_*") if "projection" in spec.part(name).extra_info]
    seen: dict[str, Tensor] = {}
    handles = [
        any_model.get_submodule(spec.part(name).extra_info["projection"]).register_forward_pre_hook(
            lambda module, args, name=name: seen.__setitem__(name, args[0].detach())
        )
        for name in names
    ]
    with torch.no_grad():
        any_model(prompt())
    for handle in handles:
        handle.remove()

    read_there = hidden_of(any_model, *names)

    assert all(torch.equal(hidden, seen[name]) for name, hidden in zip(names, read_there, strict=True))


def test_a_head_and_a_neuron_are_their_columns(llama: Any) -> None:
    heads, head, neurons, neuron = hidden_of(
        llama, "attention_1.heads", "attention_1.head_2", "ffn_1.neurons", "ffn_1.neuron_17"
    )

    assert torch.equal(head, heads[..., 16:24])
    assert torch.equal(neuron, neurons[..., 17:18])


def test_every_part_passes_in_one_run(any_model: Any) -> None:
    spec = spec_of(any_model)

    snapshots = SnapshotCapture(any_model).run(prompt(), layers=list(spec.parts))

    assert list(snapshots) == list(spec.parts)
    assert spec.part("output_head").part_type is PartType.OUTPUT_HEAD


def test_nothing_after_the_last_read_is_computed(llama: Any) -> None:
    spec_of(llama)  # opening a model takes one whole pass
    ran: list[int] = []
    for index, block in enumerate(llama.model.layers):
        block.register_forward_pre_hook(lambda module, args, index=index: ran.append(index))

    SnapshotCapture(llama).run(prompt(), layers="attention_1")

    assert ran == [0, 1]


def test_a_place_that_is_never_reached_is_an_error(llama: Any) -> None:
    llama.model.unused = torch.nn.Identity()
    taps = [Read(Site("model.unused"), lambda hidden: None), Read(Site("model.layers.0"), lambda hidden: None)]

    with pytest.raises(HookError, match=r"model\.unused"):
        read(llama, prepare(prompt(), llama), taps)
