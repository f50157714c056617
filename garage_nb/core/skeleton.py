"""Skeleton: a model made from its config alone. Its modules and buffers are there, its weights are not yet."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_ONE_AT_A_TIME = threading.Lock()


def skeleton(kind: Any, config: Any, dtype: torch.dtype | None = None) -> Any:
    """`kind` is a class of transformers. Weights are on the meta device, buffers are computed as the class does.

    In evaluation mode, with a copy of the config. The attention implementation is that of the config; the global random
    numbers stay as they are.
    """
    with torch.random.fork_rng(devices=[]), _without_weights():
        model = kind._from_config(copy.deepcopy(config), dtype=dtype, attn_implementation=config._attn_implementation)
    model.tie_weights()
    return model.eval()


@contextmanager
def _without_weights() -> Iterator[None]:
    """Parameters that this thread makes go to the meta device. Those of a model that another thread loads meanwhile do
    not, as they would with accelerate's `init_empty_weights`.
    """
    with _ONE_AT_A_TIME:
        mine, register = threading.get_ident(), nn.Module.register_parameter

        def registered(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
            here = threading.get_ident() == mine
            register(self, name, _emptied(param) if here and param is not None else param)

        nn.Module.register_parameter = registered  # type: ignore[method-assign]
        try:
            yield
        finally:
            nn.Module.register_parameter = register  # type: ignore[method-assign]


def _emptied(parameter: nn.Parameter) -> nn.Parameter:
    """Marked as transformers marks what it has loaded, so that it draws no numbers for it."""
    made = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    made.__dict__.update(parameter.__dict__, _is_hf_initialized=True)
    return made
