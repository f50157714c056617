"""The oracle of causal tests: one forward for each cell, with torch's own hooks on the model's own modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from garage_nb.core.units import Columns
from garage_nb.registry.decompose import spec_of

Change = Callable[[Tensor], Tensor]


@contextmanager
def hooked(model: Any, name: str, change: Change) -> Iterator[None]:
    """`change` is given a part's hidden states (1, seq, dim) and answers what takes their place."""
    site = spec_of(model).site(name)
    module = model.get_submodule(site.path)
    columns = slice(site.unit.start, site.unit.stop) if isinstance(site.unit, Columns) else slice(None)

    def changed(hidden: Tensor) -> Tensor:
        whole = hidden.clone()
        whole[..., columns] = change(hidden[..., columns])
        return whole

    def leaving(module: Any, args: Any, output: Any) -> Any:
        return changed(output) if isinstance(output, Tensor) else (changed(output[0]), *output[1:])

    def entering(module: Any, args: Any) -> Any:
        return (changed(args[0]), *args[1:])

    entered = site.side == "input"
    handle = module.register_forward_pre_hook(entering) if entered else module.register_forward_hook(leaving)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def last_logits(model: Any, ids: list[int]) -> Tensor:
    found: Tensor = model(torch.tensor([ids]), use_cache=False).logits[0, -1].double()
    return found


def state(model: Any, ids: list[int], name: str) -> Tensor:
    """(seq, dim)."""
    seen: list[Tensor] = []

    def keep(hidden: Tensor) -> Tensor:
        seen.append(hidden.clone())
        return hidden

    with hooked(model, name, keep):
        last_logits(model, ids)
    return seen[0][0]


def patched(model: Any, ids: list[int], name: str, rows: Tensor, at: slice) -> Tensor:
    """Logits of the last token with the rows of another run put in at some positions."""

    def put(hidden: Tensor) -> Tensor:
        whole = hidden.clone()
        whole[0, at] = rows[at]
        return whole

    with hooked(model, name, put):
        return last_logits(model, ids)
