"""LayerInjector: what it stacks acts in order, only while it stands, and only in its own thread."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.attach import sweep
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.layer import LayerInjector
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt
from tests.restored import hooks_on, left_as_it_was, logits_of


def layer_1(model: Any) -> torch.Tensor:
    return SnapshotCapture(model).run(prompt(), layers="layer_1", keep=True)["layer_1"].hidden


def test_what_is_injected_acts_inside_the_block_only(any_model: Any) -> None:
    bare = logits_of(any_model)

    with left_as_it_was(any_model), LayerInjector(any_model) as injector:
        injector.inject_scaling("layer_1", scale=0.5)
        injector.inject_additive("attention_0", 0.1)
        injector.inject_noise("ffn_0", 0.1)
        injector.inject_custom_layer("layer_0", nn.Tanh())
        injector.inject("layer_2", lambda hidden: -hidden)
        assert not torch.equal(logits_of(any_model), bare)
        assert len(injector.list_injections()) == 5


def test_generation_feels_it_at_every_step(llama: Any) -> None:
    calls: list[int] = []
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}

    with left_as_it_was(llama), LayerInjector(llama) as injector:
        injector.inject("layer_0", lambda hidden: calls.append(hidden.shape[1]) or hidden)
        llama.generate(prompt(), **options)

    assert calls == [10, 1, 1, 1]


def test_the_same_injection_twice_acts_twice_and_leaves_nothing(llama: Any) -> None:
    bare = layer_1(llama)

    with left_as_it_was(llama), LayerInjector(llama) as injector:
        names = [injector.inject_scaling("layer_1", 0.5), injector.inject_scaling("layer_1", 0.5)]
        assert torch.equal(layer_1(llama), bare * 0.25)

    assert len(set(names)) == 2


def test_inject_remove_inject(llama: Any) -> None:
    bare = layer_1(llama)

    with left_as_it_was(llama), LayerInjector(llama) as injector:
        first = injector.inject_scaling("layer_1", 0.5)
        second = injector.inject_scaling("layer_1", 3)
        injector.remove(first)
        third = injector.inject_scaling("layer_1", 5)
        assert torch.equal(layer_1(llama), bare * 3 * 5)
        assert injector.list_injections() == [second, third]
        injector.remove_all()
        assert torch.equal(layer_1(llama), bare)
        injector.inject_scaling("layer_1", 7)
        assert torch.equal(layer_1(llama), bare * 7)


def test_a_name_in_use_is_refused_and_nothing_changes(llama: Any) -> None:
    bare = layer_1(llama)

    with LayerInjector(llama) as injector:
        injector.inject("layer_1", lambda hidden: hidden * 2, name="mine")
        with pytest.raises(EditError, match="'mine' is in force already"):
            injector.inject("layer_1", lambda hidden: hidden * 3, name="mine")
        assert torch.equal(layer_1(llama), bare * 2)
        with pytest.raises(EditError, match="No injection is named 'yours'") as caught:
            injector.remove("yours")
        assert "mine" in caught.value.hint


def test_an_unknown_place_leaves_what_was_in_force(llama: Any) -> None:
    bare = layer_1(llama)

    with left_as_it_was(llama), LayerInjector(llama) as injector:
        injector.inject_scaling("layer_1", 2)
        with pytest.raises(UnknownPartError, match="layer_9"):
            injector.inject_scaling("layer_9", 2)
        assert torch.equal(layer_1(llama), bare * 2)
        assert len(injector.list_injections()) == 1


def test_injectors_act_in_the_order_of_their_injections(llama: Any) -> None:
    bare = layer_1(llama)

    with left_as_it_was(llama), LayerInjector(llama) as outer, LayerInjector(llama) as inner:
        outer.inject_scaling("layer_1", 2)
        inner.inject_additive("layer_1", 1.0)
        outer.inject_scaling("layer_1", 3)
        assert torch.equal(layer_1(llama), (bare * 2 + 1) * 3)


def test_closing_the_inner_one_leaves_the_outer(llama: Any) -> None:
    bare = layer_1(llama)

    with left_as_it_was(llama), LayerInjector(llama) as outer:
        outer.inject_scaling("layer_1", 2)
        with LayerInjector(llama) as inner:
            inner.inject_scaling("layer_1", 5)
        assert torch.equal(layer_1(llama), bare * 2)


def test_the_sweep_after_a_cell_leaves_what_stands(llama: Any) -> None:
    bare = layer_1(llama)
    injector = LayerInjector(llama)
    injector.inject_scaling("layer_1", 2)

    assert sweep(llama) == 0

    assert torch.equal(layer_1(llama), bare * 2)
    injector.remove_all()
    assert hooks_on(llama) == {}


def test_an_addition_does_not_start_the_noise_of_another_anew(llama: Any) -> None:
    with LayerInjector(llama) as injector:
        injector.inject_noise("layer_1", 0.5, seed=1)
        first = layer_1(llama)
        injector.inject_scaling("layer_2", 0.5)
        assert not torch.equal(layer_1(llama), first)


def test_two_threads_on_one_model_do_not_touch_each_other(gpt2: Any) -> None:
    """One thread injects over and over as a slider would; the other's forwards are all the bare model's."""
    bare, contaminated, ineffective, done = logits_of(gpt2), [], [], []

    def slide() -> None:
        while not done:
            with LayerInjector(gpt2) as injector:
                injector.inject_scaling("layer_1", 0.0)
                injector.inject_scaling("attention_0", 0.0)
                ineffective.append(torch.equal(logits_of(gpt2), bare))

    slider = Thread(target=slide)
    slider.start()
    for _ in range(150):
        contaminated.append(not torch.equal(logits_of(gpt2), bare))
    done.append(True)
    slider.join()

    assert sum(contaminated) == 0
    assert ineffective
    assert sum(ineffective) == 0
    assert hooks_on(gpt2) == {}


def test_captures_from_two_threads_take_turns(gpt2: Any) -> None:
    camera = SnapshotCapture(gpt2)
    expected, wrong = layer_1(gpt2), []

    def look() -> None:
        for _ in range(30):
            wrong.append(not torch.equal(camera.run(prompt(), keep=True)["layer_1"].hidden, expected))

    threads = [Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == [False] * 60
