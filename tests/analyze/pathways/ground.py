"""Small models with a tokenizer of letters, items of two domains, and one item read on its own by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor

from garage_nb.registry.lift import Lifted, lift
from tests.families import saved

FAMILIES = ["llama", "gpt2", "phi3", "gemma2"]
ITEMS = [
    *({"prompt": f"{a} {b} then ", "answer": f"{b}{a}", "domain": "turn"} for a, b in ("ab", "cd", "eg", "xy", "mn")),
    *({"prompt": f"{n} and one is ", "answer": f"{n + 1}", "domain": "count"} for n in (1, 3, 5, 7, 8)),
]  # fmt: skip
PARTS = ["ffn_0", "ffn_1"]
Change = Callable[[Tensor], Tensor]


@cache
def small(family: str) -> Lifted:
    """Two layers, in float32."""
    return lift(saved(family, Path(mkdtemp()), layers=2))


@contextmanager
def changed(lifted: Lifted, change: Callable[[str, Tensor], Tensor]) -> Iterator[None]:
    """The neurons of each part as `change` makes them, by hooks of torch's own."""
    hooks = []
    for name in PARTS:
        last = lifted.model.get_submodule(lifted.spec.parts[name].extra_info["projection"])
        hooks.append(last.register_forward_pre_hook(lambda _, args, name=name: (change(name, args[0]), *args[1:])))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def alone(lifted: Lifted, item: Any, change: Callable[[str, Tensor], Tensor] = lambda name, hidden: hidden) -> Tensor:
    """Log-probability of the item's answer in its first way, nats a token, without padding."""
    given, answer = item.ways[0]
    first = len(lifted.tokenizer(given)["input_ids"])
    ids = torch.tensor([lifted.tokenizer(given + answer)["input_ids"]])
    with changed(lifted, change):
        logits = lifted.model(ids).logits[0, first - 1 : -1].double()
    return logits.log_softmax(-1).gather(1, ids[0, first:, None]).mean()
