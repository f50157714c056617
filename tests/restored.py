"""What a model must look like again when the garage has finished with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from garage_nb.core.attention import askers_at
from tests.families import prompt

_TABLES = (
    "_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


def hooks_on(model: Any) -> dict[tuple[str, str], list[Any]]:
    """Every hook table that holds anything, keys and values in order, and what asks for the inside of attention."""
    hooks = {
        (path, table): list(entries.items())
        for path, module in model.named_modules()
        for table in _TABLES
        if (entries := getattr(module, table))
    }
    return hooks | {
        (path, "attention"): list(askers) for path, module in model.named_modules() if (askers := askers_at(module))
    }


def logits_of(model: Any) -> Tensor:
    """The model's own answer to the shared prompt, called as a user would."""
    with torch.no_grad():
        return model(prompt(), use_cache=False).logits


@contextmanager
def left_as_it_was(model: Any) -> Iterator[None]:
    """Fails unless hooks, logits, weights, flags and the RNG are the same afterwards, bit for bit."""
    before, hooks, answer = _state(model), hooks_on(model), logits_of(model)
    random = torch.get_rng_state()

    yield

    assert torch.equal(torch.get_rng_state(), random)
    assert hooks_on(model) == hooks
    assert torch.equal(logits_of(model), answer)
    after = _state(model)
    assert after["flags"] == before["flags"]
    assert after["grad"] == before["grad"]
    assert list(after["weights"]) == list(before["weights"])
    assert all(torch.equal(after["weights"][name], tensor) for name, tensor in before["weights"].items())


def _state(model: Any) -> dict[str, Any]:
    return {
        "flags": [module.training for module in model.modules()],
        "grad": torch.is_grad_enabled(),
        "weights": {name: tensor.clone() for name, tensor in model.state_dict().items()},
    }
