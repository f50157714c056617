"""verify: every way in which a model can differ from how it came is found and named, and nothing else is."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from garage_nb.core.attach import Attached
from garage_nb.core.sites import Site, Write, everywhere
from garage_nb.garage import Garage
from garage_nb.inject.layer import LayerInjector
from tests.families import prompt, tiny

WEIGHT = "model.layers.1.mlp.down_proj.weight"
NORM = "model.layers.1.input_layernorm.weight"


@pytest.fixture
def garage(llama: Any) -> Garage:
    return Garage(llama)


def findings(garage: Garage) -> dict[str, str]:
    return {check.split()[0]: found for check, found in garage.verify().findings.items() if found}


def weight(garage: Garage, name: str) -> torch.Tensor:
    return dict(garage.model.named_parameters())[name].data


def test_after_every_kind_of_run_nothing_differs(garage: Garage) -> None:
    garage.scale("layer_0", 0.5)
    garage.noise("ffn_1.neurons", 0.5)
    garage.capture(prompt(), layers="attention_*", keep=True)
    garage.plot(prompt())

    found = garage.verify()

    assert found
    assert "✗" not in repr(found)
    assert found.ok


def test_a_run_of_a_widget_on_another_thread_is_no_difference(garage: Garage) -> None:
    over, runs = threading.Event(), []

    def slider() -> None:
        while not over.is_set():
            runs.append(garage.capture(prompt(), layers="layer_*,attention_*.q", keep=True))

    garage.model.train()
    garage.load(garage.model)
    thread = threading.Thread(target=slider)
    thread.start()
    try:
        found = [findings(garage) for _ in range(40)]
    finally:
        over.set()
        thread.join()

    assert found == [{}] * 40
    assert len(runs) > 10
    assert all(module.training for module in garage.model.modules())


def test_transformers_own_recorders_are_no_difference(garage: Garage) -> None:
    garage.model(prompt(), output_hidden_states=True, output_attentions=True)

    assert garage.verify().ok


def test_one_bit_of_one_weight_is_found(garage: Garage) -> None:
    weight(garage, WEIGHT).view(torch.int32)[3, 5] ^= 1

    assert findings(garage)["weights"] == WEIGHT
    assert not garage.verify()


def swap(values: torch.Tensor) -> None:
    values[0], values[1] = values[1].clone(), values[0].clone()


def mirror(values: torch.Tensor) -> None:
    values[:4] = torch.tensor([0.0, 1.0, 1.0, 0.0])


def balance(values: torch.Tensor) -> None:
    bits = values.view(torch.int32)
    bits[0] += 2
    bits[1] -= 1


@pytest.mark.parametrize("change", [swap, mirror, balance])
def test_entries_moved_under_an_equal_sum_are_found(change: Callable[[torch.Tensor], None]) -> None:
    model = tiny("llama")
    dict(model.named_parameters())[NORM].data[:4] = torch.tensor([1.0, 0.0, 0.0, 1.0])
    garage = Garage(model)

    change(weight(garage, NORM))

    assert findings(garage)["weights"] == NORM


def test_entries_swapped_within_and_between_the_rows_of_a_large_weight_are_found() -> None:
    model = tiny("llama", vocab_size=5000)  # longer than one row of the checksum
    garage = Garage(model)
    flat = weight(garage, "model.embed_tokens.weight").view(-1)

    for a, b in [(7, 8), (7, 7 + 65_521), (7, 7 + 2 * 65_521)]:
        flat[[a, b]] = flat[[b, a]]
        assert "weights" in findings(garage)
        flat[[a, b]] = flat[[b, a]]
    assert garage.verify().ok


def test_a_hook_of_ours_that_was_left_behind_is_found(garage: Garage) -> None:
    layer = garage.model.model.layers[1]
    attached = Attached(garage.model, [Write(Site("model.layers.1"), everywhere(lambda hidden: hidden * 2))])
    with attached:
        key, hook = next(iter(layer._forward_hooks.items()))
    layer._forward_hooks[key] = hook

    assert findings(garage) == {"hooks": "model.layers.1"}


def test_a_hook_of_the_users_that_is_gone_is_found(llama: Any) -> None:
    handle = llama.model.layers[2].register_forward_hook(lambda module, args, output: None)
    garage = Garage(llama)
    assert garage.verify().ok

    handle.remove()

    assert findings(garage) == {"hooks": "model.layers.2"}


def test_an_injector_closed_since_is_no_difference(llama: Any) -> None:
    with LayerInjector(llama) as injector:
        injector.inject_scaling("layer_1", 1.0)
        garage = Garage(llama)

    assert garage.verify().ok


def test_a_train_flag_that_flipped_is_found_and_kept(garage: Garage) -> None:
    garage.model.model.layers[0].mlp.train()

    assert findings(garage)["train"].startswith("model.layers.0.mlp")
    assert garage.model.model.layers[0].mlp.training


def test_a_model_that_answers_otherwise_is_found(garage: Garage) -> None:
    garage.model.lm_head.register_forward_hook(lambda module, args, output: output * 2)

    assert "logits" in findings(garage)


def test_every_check_says_what_was_compared(garage: Garage) -> None:
    state = garage.model.state_dict()
    modules = f"{len(list(garage.model.modules()))} modules"

    compared = garage.verify().compared

    assert compared["hooks"].startswith(f"{modules}, 0 hooks")
    assert compared["keys"] == f"{len(state)} names in their order"
    assert compared["weights"] == f"{len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} numbers"
    assert compared["train flags"] == modules
    assert compared["logits while read"].startswith(f"{garage.spec.num_layers} layers; ")
    assert compared["random numbers"] == "torch, Python"
    assert list(garage.verify().frame()["compared"]) == list(compared.values())
    assert all(text in repr(garage.verify()) for text in compared.values())


def test_a_weight_that_came_or_went_is_found_by_its_name(garage: Garage) -> None:
    garage.model.model.layers[1].register_buffer("extra", torch.zeros(2))
    assert findings(garage) == {"keys": "model.layers.1.extra"}

    del garage.model.model.layers[1].extra
    assert garage.verify().ok


def test_weights_in_another_order_are_found(garage: Garage) -> None:
    parameters = garage.model.model.layers[1].mlp._modules
    parameters["gate_proj"] = parameters.pop("gate_proj")

    assert findings(garage) == {"keys": "in another order"}


def test_a_generator_that_moves_is_named(garage: Garage) -> None:
    def draw(*_: Any) -> None:
        torch.rand(1)
        random.random()

    garage.model.model.layers[1].register_forward_hook(draw)

    assert findings(garage) == {"random": "torch, Python"}


def test_a_damaged_model_is_as_it_came_too() -> None:
    model = tiny("llama")
    model.model.layers[1].mlp.down_proj.weight.data[0, 0] = float("nan")

    assert Garage(model).verify().ok
