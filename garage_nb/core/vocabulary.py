"""The table of token embeddings: which module it is and how many ids it knows."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..errors import UnsupportedModelError


def input_embedding(model: Any) -> nn.Module:
    """What transformers names, else the first embedding there is. UnsupportedModelError when there is none."""
    try:
        table = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        table = next((module for module in model.modules() if isinstance(module, nn.Embedding)), None)
    if not isinstance(table, nn.Module):
        raise UnsupportedModelError(
            f"{type(model).__name__} has no table of token embeddings.", "Give a model that reads token ids."
        )
    return table


def vocab_size(model: Any) -> int:
    table = input_embedding(model)
    known = getattr(table, "num_embeddings", None)
    return int(known) if known is not None else int(next(table.parameters()).shape[0])
