"""What is asked of the garage on somebody else's model, each answer against a hook written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from garage_nb.core.batch import prepare
from garage_nb.core.chain import Chain
from garage_nb.core.generate import generate
from garage_nb.core.run import NO_CHAIN, logits
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt
from tests.restored import hooks_on

LAYERS = ["layer_0", "layer_1", "layer_2"]
FACTOR = 0.5
OPTIONS = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 2}


@torch.no_grad()
def answer_of(model: Any) -> Tensor:
    """The model's own answer, asked as a user would."""
    return first_tensor(model(prompt(), **({"use_cache": False} if hasattr(model, "config") else {})))


def first_tensor(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    return output["logits"] if isinstance(output, dict) and "logits" in output else output[0]


@contextmanager
def scaled_by_hand(block: nn.Module, factor: float = FACTOR) -> Iterator[list[Tensor]]:
    """What left the block before it was scaled, call by call."""
    left: list[Tensor] = []

    def scale(module: Any, args: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        left.append(hidden.detach().clone())
        return (hidden * factor, *output[1:]) if isinstance(output, tuple) else hidden * factor

    handle = block.register_forward_hook(scale)
    try:
        yield left
    finally:
        handle.remove()


class Oracle:
    """The answers by hand, taken before the garage sees the model."""

    def __init__(self, model: Any, paths: list[str]) -> None:
        self.bare = answer_of(model)
        self.scaled: list[Tensor] = []
        self.left: list[Tensor] = []
        for path in paths:
            with scaled_by_hand(model.get_submodule(path)) as left:
                self.scaled.append(answer_of(model))
            self.left.append(left[0])


def demand_right(model: Any, paths: list[str], *, says: Any = torch.equal) -> None:
    """Reads and edits at three layers give what hooks by hand give, twice in a row, and nothing is left."""
    hooks, flags = hooks_on(model), [module.training for module in model.modules()]
    oracle, spec = Oracle(model, paths), spec_of(model)

    demand_answers(model, spec, oracle, says=says)

    assert says(answer_of(model), oracle.bare)
    assert hooks_on(model) == hooks
    assert [module.training for module in model.modules()] == flags


def demand_answers(model: Any, spec: ModelSpec, oracle: Oracle, *, says: Any = torch.equal) -> None:
    shots = SnapshotCapture(model).run(prompt(), LAYERS, keep=True)
    for layer, wanted, left in zip(LAYERS, oracle.scaled, oracle.left, strict=True):
        assert says(shots[layer].hidden, left), f"capture of {layer}"
        assert says(injected(model, layer), wanted), f"injector at {layer}"
        for turn in range(3):
            assert says(asked_at(model, spec, layer), wanted), f"logits under an edit at {layer}"
            assert says(asked_at(model, spec, layer, spec.chain), wanted), f"kept, {layer}, turn {turn}"


def injected(model: Any, layer: str) -> Tensor:
    with LayerInjector(model) as injector:
        injector.inject_scaling(layer, FACTOR)
        return answer_of(model)


def asked_at(model: Any, spec: ModelSpec, layer: str, chain: Chain = NO_CHAIN) -> Tensor:
    taps = Recipe((Scale(layer, FACTOR),)).taps(spec)
    return logits(model, prepare(prompt(), model), taps, chain=chain)


def generated(model: Any, spec: ModelSpec, layer: str, chain: Chain = NO_CHAIN) -> Tensor:
    return generate(model, prepare(prompt(), model), Recipe((Scale(layer, FACTOR),)).taps(spec), chain=chain, **OPTIONS)
